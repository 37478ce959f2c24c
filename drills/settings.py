"""Shows what each setting is for: other values of it, each drilled: `make drill-settings`.

Each value is put into a copy's template or configuration, deployed, and drilled; the table says what came of it beside
the value that is ours. Results are in build/drills/settings.json too. Exit codes: 0 done, 1 it could not be done.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from deployment.errors import UserError
from drills import hosts, outcome, releases
from drills.clone import Clone
from drills.outcome import Outcome
from drills.registry import Drill
from drills.scene import Scene
from drills.stage import RESULTS, deploy, play, stage
from drills.workloads import (
    rare,
    slow_hosts_under_load,
    slow_release,
    slow_replacement,
    steady,
    unaware,
)
from local.machine import machine
from local.steps import step

HOSTS, BALANCER, GUNICORN = "cfn/hosts.yaml", "cfn/balancer.yaml", "service/gunicorn.conf.py"


class Setting(NamedTuple):
    """line: as it stands in the file, `{}` for the value. values: ours first. play: what shows the difference.
    told: that, in words."""

    name: str
    file: str
    line: str
    values: Sequence[str]
    play: Callable[[Scene], None]
    told: Sequence[Callable[[Outcome], str]]


def errors(result: Outcome) -> str:
    ended = outcome.errors_ended(result.requests, result.fault_at)
    return "no errors" if ended is None else f"errors for {ended:.1f} s"


def failures(result: Outcome) -> str:
    return f"{len(outcome.failures(result.requests)):,} of {len(result.requests):,} fail"


def latency(result: Outcome) -> str:
    p50, p99 = (outcome.percentile(result.requests, share) or 0.0 for share in (0.5, 0.99))
    return f"p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms; {failures(result)}"


def took(result: Outcome) -> str:
    held = "" if result.held else f"; what does not hold: {result.broken[0]}"
    return f"takes {result.seconds:.0f} s, {failures(result)}{held}"


def notes(result: Outcome) -> str:
    return "; ".join(result.notes)


SETTINGS = [
    Setting(
        "HealthCheckIntervalSeconds", BALANCER, "HealthCheckIntervalSeconds: {}\n", ("5", "10", "30"),
        hosts.host_dies, (errors, failures),
    ),
    Setting(
        "UnhealthyThresholdCount", BALANCER, "UnhealthyThresholdCount: {}\n", ("2", "3", "5"),
        hosts.host_dies, (errors, failures),
    ),
    Setting(
        "HealthCheckTimeoutSeconds", BALANCER, "HealthCheckTimeoutSeconds: {}\n", ("4", "2"),
        hosts.host_dies, (errors, failures),
    ),
    Setting(
        "HealthCheckTimeoutSeconds, slow hosts", BALANCER, "HealthCheckTimeoutSeconds: {}\n", ("4", "2"),
        slow_hosts_under_load, (latency, notes),
    ),
    Setting(
        "sleep before the signal", HOSTS, "sleep {}\n\n            signal SUCCESS", ("15", "0", "60"),
        unaware, (failures, took, notes),
    ),
    Setting(
        "HealthyThresholdCount", BALANCER, "HealthyThresholdCount: {} ", ("2", "5"),
        unaware, (failures, took, notes),
    ),
    Setting(
        "deregistration_delay", BALANCER, 'deregistration_delay.timeout_seconds, Value: "{}"', ("30", "0"),
        releases.good_release, (failures, took),
    ),
    Setting(
        "HealthCheckGracePeriod", HOSTS, "HealthCheckGracePeriod: {}\n", ("1500", "30"),
        slow_replacement, (notes,),
    ),
    Setting(
        "wait condition's Timeout", HOSTS, 'Timeout: "{}"', ("1500", "35"),
        slow_release, (failures, took),
    ),
    Setting("keepalive", GUNICORN, "keepalive = {}\n", ("75", "2"), rare, (failures,)),
    Setting("threads", GUNICORN, "threads = {} ", ("4", "1", "32"), steady, (latency,)),
    Setting("workers", GUNICORN, '"TIMESERVICE_WORKERS", "{}"', ("2", "1"), steady, (latency,)),
]  # fmt: skip


def tried(setting: Setting, value: str, clone: Clone) -> str:
    """What came of that value."""
    ours = setting.values[0]
    if value != ours:
        clone.replace(setting.file, setting.line.format(ours), setting.line.format(value))
    try:
        try:
            deploy(clone)
        except UserError:
            return "nothing is deployed with it"
        result = play(Drill(setting.name, "", setting.play), clone)
        return "; ".join(told(result) for told in setting.told)
    finally:
        if value != ours:
            clone.replace(setting.file, setting.line.format(value), setting.line.format(ours))


def main() -> int:
    argparse.ArgumentParser(prog="python -m drills.settings", description=__doc__).parse_args()
    rows: list[dict[str, str]] = []
    try:
        with stage() as clone:
            for setting in SETTINGS:
                for value in setting.values:
                    with step(f"{setting.name} {value}") as line:
                        line.outcome = tried(setting, value, clone)
                    rows.append({"setting": setting.name, "value": value, "found": line.outcome})
    except UserError as trouble:
        print(f"\nerror: {trouble}", file=sys.stderr)
        return 1
    told = {"machine": machine(), "settings": rows}
    (RESULTS / "settings.json").write_text(json.dumps(told, indent=1) + "\n")
    print(f"\nDrilled on {machine()}; the first value of each is ours.\n")
    print("| setting | value | what came of it |\n|---|---|---|")
    for row in rows:
        print(f"| {row['setting']} | {row['value']} | {row['found']} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
