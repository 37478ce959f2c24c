"""How long things may take, by what a clone's templates say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deployment.template import Template


def _properties(folder: Path, part: str, resource: str) -> dict[str, Any]:
    """Of a resource in a clone's template."""
    text = (folder / f"cfn/{part}.yaml").read_text()
    return dict(Template(text).resources[resource]["Properties"])


def grace_period(folder: Path) -> int:
    """What a clone's template says, in seconds."""
    return int(_properties(folder, "hosts", "HostGroup")["HealthCheckGracePeriod"])


def two_checks(folder: Path) -> float:
    """The longest time in seconds that two failing health checks take: here each begins when the interval since the end
    of the one before is over, may connect for as long as that (HAProxy's rule), and may then wait for its time-out. One
    second more, as the controller looks once a second."""
    target = _properties(folder, "balancer", "TargetGroup")
    interval, timeout = target["HealthCheckIntervalSeconds"], target["HealthCheckTimeoutSeconds"]
    return float((interval + max(interval, timeout)) * target["UnhealthyThresholdCount"] + 1)
