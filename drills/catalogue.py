"""All drills by name, in the order in which they are played."""

from __future__ import annotations

from drills import bad_releases, clocks, cloud, hosts, releases, traffic
from drills.registry import DRILLS as FOUND

MODULES = [one.__name__ for one in (hosts, clocks, cloud, traffic, bad_releases, releases)]
DRILLS = dict(sorted(FOUND.items(), key=lambda item: MODULES.index(item[1].play.__module__)))
