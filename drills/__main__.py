"""Plays drills, and tells what came of them: `make drill`, or `make drill NAME ...`.

Each plays on one deployment in the local cloud, which is brought up first and removed at the end, beside what is up.
Results are in build/drills: drills.json, a picture of each drill, and what each make printed (log).
Exit codes: 0 all held, 1 some did not, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench.deployment import machine
from drills import clocks, cloud, hosts, outcome, releases, traffic
from drills.catalogue import DRILLS, Drill
from drills.clone import ROOT, Clone
from drills.outcome import Outcome
from drills.picture import draw
from drills.scene import Scene
from local.containers import LABEL, Containers
from local.steps import CloudError, step

RESULTS = ROOT / "build/drills"
MODULES = (releases, hosts, clocks, cloud, traffic)  # they add their drills to the catalogue


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m drills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="of a drill; all of them by default"
    )
    parser.add_argument("--list", action="store_true", help="tell the drills and what they break")
    options = parser.parse_args(argv)
    if options.list:
        for drill in DRILLS.values():
            print(f"{drill.name:<24} {drill.what}")
        return 0
    if unknown := [name for name in options.names if name not in DRILLS]:
        parser.error(f"there is no drill {unknown[0]!r}; there are: {', '.join(DRILLS)}")
    try:
        return report(play([DRILLS[name] for name in options.names or DRILLS]))
    except CloudError as trouble:
        print(f"\nerror: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped half-way.", file=sys.stderr)
        return 130


def play(drills: Sequence[Drill]) -> list[Outcome]:
    """Bring a deployment up, play the drills on it one after the other, and remove it."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = f"drill-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
    with tempfile.TemporaryDirectory() as folder, (RESULTS / "log").open("w") as log:
        containers = Containers(name)
        containers.remove()  # what drills that were killed have left

        def keep(output: str) -> None:
            log.write(output)
            log.flush()

        clone = Clone(Path(folder) / "clone", name, keep)
        try:
            with step("a deployment to drill"):
                deploy(clone)
            start_reference(containers)
            return [played(drill, clone) for drill in drills]
        finally:
            clone.make("down")


def deploy(clone: Clone) -> None:
    done = clone.make("up")
    if done.status:
        raise CloudError(f"there is nothing to drill, as make up failed:\n{done.output[-2000:]}")


def start_reference(cloud: Containers) -> None:
    """An NTP server for the healthcheck, which no drill touches."""
    balancer = cloud.get("balancer")
    assert balancer is not None  # noqa: S101 - the deployment is up
    cloud.engine.containers.run(
        balancer.attrs["Image"],
        ["/opt/local/stage/time_server.sh"],
        name=f"{cloud.name}-reference",
        network=f"{cloud.name}-edge",
        labels={LABEL: cloud.name, "timeservice.role": "reference"},
        detach=True,
    )


def played(drill: Drill, clone: Clone) -> Outcome:
    """One drill, from a healthy pair on. Whatever goes wrong in it is a drill that did not hold."""
    scene = Scene(clone, Containers(clone.name))
    with step(f"{drill.name}") as line:
        began = time.time()
        mend(scene)
        with scene.watched():
            try:
                drill.play(scene)
            except Exception as trouble:
                scene.clone.say(traceback.format_exc())
                scene.hold(False, f"the drill itself ends ({type(trouble).__name__}: {trouble})")
        result = scene.outcome(drill.name, drill.what, began)
        line.outcome = "held" if result.held else "failed"
    for broken in result.broken:
        print(f"    does not hold: {broken}", flush=True)
    draw(result, RESULTS / f"{drill.name}.svg")
    return result


def mend(scene: Scene) -> None:
    """A drill must not suffer from the one before: bring up what that has left half-made."""
    if list(scene.states().values()) != ["healthy"] * outcome.PAIR or len(scene.stacks()) != len(
        STACKS
    ):
        deploy(scene.clone)
        scene.until_two_healthy(120)


STACKS = ("artifacts", "network", "balancer", "hosts", "healthcheck")


def report(outcomes: Sequence[Outcome]) -> int:
    told = {"machine": machine(), "drills": [one.summary() for one in outcomes]}
    (RESULTS / "drills.json").write_text(json.dumps(told, indent=1) + "\n")
    print(f"\nDrilled on {machine()}.\n\n{outcome.table(outcomes)}\n")
    for one in outcomes:
        for note in one.notes:
            print(f"{one.name}: {note}")
    held = sum(one.held for one in outcomes)
    print(f"\n{held} of {len(outcomes)} drills held")
    return 0 if held == len(outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
