"""Draws a drill: requests and failures each second, latencies, and healthy hosts over its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING

from drills.load import Request
from drills.outcome import PAIR, Outcome, Seen

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(result: Outcome, path: Path) -> None:
    """path: where to; its ending is the form (.svg, .png)."""
    from matplotlib import rc_context  # not at the top: it takes seconds
    from matplotlib.figure import Figure

    zero = result.fault_at or result.began
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": result.name}):
        figure = Figure(figsize=(9, 5), layout="constrained")
        rates, latencies, hosts = figure.subplots(3, sharex=True, height_ratios=[2, 1.4, 1])
        rates.set_title(
            f"{result.name}: {result.what}: {'held' if result.held else 'failed'}", fontsize=10
        )
        _rates(rates, result.requests, zero)
        _latencies(latencies, result.requests, zero)
        _hosts(hosts, result.seen, zero)
        hosts.set_xlabel("seconds since the fault" if result.fault_at else "seconds")
        if result.fault_at:
            for axes in (rates, latencies, hosts):
                axes.axvline(0, color="black", linestyle=":", linewidth=1)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _rates(axes: Axes, requests: Sequence[Request], zero: float) -> None:
    good = Counter(floor(one.due - zero) for one in requests if not one.failed)
    bad = Counter(floor(one.due - zero) for one in requests if one.failed)
    seconds = range(min([*good, *bad], default=0), max([*good, *bad], default=0) + 1)
    axes.stackplot(
        seconds,
        *([of[one] for one in seconds] for of in (good, bad)),
        labels=["answered", "failed"],
        colors=["tab:green", "tab:red"],
        step="post",
    )
    axes.legend(loc="lower right", fontsize=8)
    axes.set_ylabel("requests / s")


def _latencies(axes: Axes, requests: Sequence[Request], zero: float) -> None:
    worst: dict[int, float] = {}
    for one in requests:
        second = floor(one.due - zero)
        worst[second] = max(worst.get(second, 0.0), one.latency * 1e3)
    axes.step(list(worst), list(worst.values()), where="post", color="tab:blue", linewidth=1)
    axes.set_yscale("log")
    axes.set_ylabel("worst, ms")


def _hosts(axes: Axes, seen: Sequence[Seen], zero: float) -> None:
    """Only where their number changes, as there are two looks in each second."""
    changes = [
        one
        for number, one in enumerate(seen)
        if number in (0, len(seen) - 1) or one.healthy != seen[number - 1].healthy
    ]
    times, healthy = [one.at - zero for one in changes], [one.healthy for one in changes]
    axes.step(times, healthy, where="post", color="tab:purple")
    axes.set_ylim(0, PAIR * 2.2)
    axes.set_ylabel("healthy hosts")
