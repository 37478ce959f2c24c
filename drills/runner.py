"""Run drills on a deployment: bring it up, restore it before each drill, and remove it."""

import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployment import ROOT
from deployment.errors import UserError
from drills import bad_releases, clocks, cloud, hosts, releases, traffic
from drills.clone import Clone
from drills.outcome import Look, Outcome
from drills.trial import GRACE_PERIOD, Drill, Trial, repeat
from local.containers import CLONE, Containers
from local.steps import hold_lock, step

RESULTS = ROOT / "build/drills"
# One deployment for each clone.
NAME = f"drill-{CLONE}"
MODULES = (hosts, clocks, cloud, traffic, bad_releases, releases)
DRILLS = {
    drill.name: drill
    for module in MODULES
    for drill in vars(module).values()
    if isinstance(drill, Drill)
}


@contextmanager
def deploy_clone() -> Iterator[Clone]:
    """Yield a copy of this clone whose deployment is up during the block. Raises UserError."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (
        hold_lock(RESULTS / "lock", "drills run in this clone already; wait until they end"),
        tempfile.TemporaryDirectory() as folder,
        (RESULTS / "log").open("w", buffering=1) as log,
    ):
        # Drills that were killed may have left something.
        Containers(NAME).remove()
        clone = Clone(Path(folder) / "clone", NAME, log=log.write)
        try:
            with step("a deployment to drill"):
                deploy(clone)
            yield clone
        finally:
            if clone.make("down").status:
                print(f"make down fails; {RESULTS}/log has its output", file=sys.stderr)


def deploy(clone: Clone) -> None:
    """Deploy the clone's sources. Raises UserError."""
    done = clone.make("up")
    if done.status:
        raise UserError(f"make up fails, so there is nothing to drill:\n{done.output[-2000:]}")


def run_drill(drill: Drill, clone: Clone, patience: float = 1.0) -> Outcome:
    """Run a drill on a healthy pair of hosts. A drill that raises an error does not hold.

    patience: by which all time limits are multiplied. A rehearsal on a busy machine shows that a
    deployment recovers, and not how fast.
    """
    cloud = Containers(clone.name)
    trial = Trial(name=drill.name, what=drill.what, clone=clone, cloud=cloud, patience=patience)
    try:
        # The drill before may have left something incomplete.
        deploy(clone)
        trial.wait_until_two_healthy(120)
        trial.set_grace_period(GRACE_PERIOD)
        trial.pair = set(trial.states())
        with record(trial):
            drill.run(trial)
    except Exception as trouble:
        clone.log(traceback.format_exc())
        trial.expect(False, f"the drill itself ends ({type(trouble).__name__}: {trouble})")
    trial.expect_right_time()
    trial.expect(bool(trial.requests), "there is a load")
    return trial


@contextmanager
def record(trial: Trial) -> Iterator[None]:
    """Record the hosts' states, and the alarms that fire, during the block."""
    # Alarms that fire since the drill before.
    earlier = trial.find_firing_alarms()

    def look() -> None:
        trial.looks.append(Look(time.time(), list(trial.states().values()).count("healthy")))

    def listen() -> None:
        firing = trial.find_firing_alarms()
        earlier.intersection_update(firing)
        trial.alarms |= firing - earlier

    with repeat(look, 0.5), repeat(listen, 5.0):
        yield
        look()
