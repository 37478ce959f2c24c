"""The deployment that drills are played on: brought up, mended between two of them, and removed."""

from __future__ import annotations

import hashlib
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployment.errors import UserError
from drills import outcome
from drills.clone import ROOT, Clone
from drills.outcome import Outcome
from drills.record import recorded
from drills.registry import Drill
from drills.scene import Scene
from drills.times import grace_period
from local.containers import LABEL, Containers
from local.steps import hold_lock, step

RESULTS = ROOT / "build/drills"
NAME = f"drill-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"  # one for each clone
STACKS = 5


@contextmanager
def stage() -> Iterator[Clone]:
    """A copy of this clone whose deployment is up while the block runs; raises UserError if it does not get up."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (
        hold_lock(RESULTS / "lock", "drills run in this clone already; wait for them"),
        tempfile.TemporaryDirectory() as folder,
        (RESULTS / "log").open("w") as log,
    ):
        Containers(NAME).remove()  # what drills that were killed have left

        def keep(output: str) -> None:
            log.write(output)
            log.flush()

        clone = Clone(Path(folder) / "clone", NAME, say=keep)
        try:
            with step("a deployment to drill"):
                deploy(clone)
            yield clone
        finally:
            clone.make("down")


def deploy(clone: Clone) -> None:
    """What the clone's sources say, with somebody to ask for the true time beside it."""
    done = clone.make("up")
    if done.status:
        raise UserError(f"there is nothing to drill, as make up failed:\n{done.output[-2000:]}")
    start_reference(Containers(clone.name))


def start_reference(cloud: Containers) -> None:
    """An NTP server for the healthcheck, which no drill touches."""
    if cloud.get("reference") is not None:
        return
    balancer = cloud.get("balancer")
    assert balancer is not None  # noqa: S101 - the deployment is up
    cloud.engine.containers.run(
        balancer.attrs["Image"],
        ["/opt/local/cloud/time_server.sh"],
        name=f"{cloud.name}-reference",
        network=f"{cloud.name}-edge",
        labels={LABEL: cloud.name, "timeservice.role": "reference"},
        detach=True,
    )


def play(drill: Drill, clone: Clone) -> Outcome:
    """One drill, from a healthy pair on. Whatever goes wrong in it is a drill that did not hold."""
    scene = Scene(clone, Containers(clone.name))
    mend(scene)
    began = time.time()
    with recorded(scene, scene.seen, scene.alarms):
        try:
            drill.play(scene)
        except Exception as trouble:
            clone.say(traceback.format_exc())
            scene.hold(False, f"the drill itself ends ({type(trouble).__name__}: {trouble})")
    scene.hold(bool(scene.requests), "there is a load")
    return scene.outcome(drill.name, drill.what, began)


def mend(scene: Scene) -> None:
    """A drill must not suffer from the one before: bring up what that has left half-made."""
    whole = list(scene.states().values()) == ["healthy"] * outcome.PAIR
    if not whole or scene.cloud.get("reference") is None or len(scene.stacks()) != STACKS:
        deploy(scene.clone)
        scene.until_two_healthy(120)
    scene.grace(grace_period(scene.clone.folder))
