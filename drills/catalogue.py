"""All drills by name, in the order in which they are played."""

from __future__ import annotations

from drills import clocks, cloud, hosts, releases, traffic
from drills.registry import DRILLS

MODULES = (hosts, clocks, cloud, traffic, releases)  # that add theirs when they are imported

__all__ = ["DRILLS", "MODULES"]
