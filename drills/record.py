"""Writes down what happens while a drill plays: who is healthy, and which alarms ring."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drills.background import background
from drills.deployed import Deployed
from drills.outcome import Seen

PERIOD = 0.5  # seconds between two looks at the hosts
ALARMS_PERIOD = 5.0


@contextmanager
def recorded(deployed: Deployed, seen: list[Seen], alarms: list[str]) -> Iterator[None]:
    """Add to `seen` and `alarms` while the block runs."""

    def look() -> None:
        seen.append(Seen(time.time(), deployed.states()))

    with background(look, PERIOD), background(_listener(deployed, alarms), ALARMS_PERIOD):
        yield
        look()  # how it ends


def _listener(deployed: Deployed, alarms: list[str]) -> Callable[[], None]:
    """Writes down each change of an alarm."""
    before: dict[str, bool] = {}

    def listen() -> None:
        for alarm in deployed.aws("cloudwatch").describe_alarms()["MetricAlarms"]:
            name = alarm["AlarmName"].split("-")[3].removesuffix("Alarm") or "healthcheck"
            rings = alarm["StateValue"] == "ALARM"
            if before.setdefault(name, rings) != rings:
                alarms.append(f"{name} {'rang' if rings else 'came back'}")
                before[name] = rings

    return listen
