"""Draws a drill: requests and failures each second, latencies, and healthy hosts over its time."""

from __future__ import annotations

from collections import Counter
from math import floor
from pathlib import Path

from drills import outcome
from drills.outcome import Outcome


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
        good = Counter(floor(one.due - zero) for one in result.requests if not one.failed)
        bad = Counter(floor(one.due - zero) for one in result.requests if one.failed)
        seconds = range(min([*good, *bad], default=0), max([*good, *bad], default=0) + 1)
        answered, failed = ([of[one] for one in seconds] for of in (good, bad))
        rates.stackplot(
            seconds,
            answered,
            failed,
            labels=["answered", "failed"],
            colors=["tab:green", "tab:red"],
            step="post",
        )
        rates.legend(loc="lower right", fontsize=8)
        rates.set_ylabel("requests / s")
        worst: dict[int, float] = {}
        for one in result.requests:
            second = floor(one.due - zero)
            worst[second] = max(worst.get(second, 0.0), one.latency * 1e3)
        latencies.step(
            list(worst), list(worst.values()), where="post", color="tab:blue", linewidth=1
        )
        latencies.set_yscale("log")
        latencies.set_ylabel("worst, ms")
        changes = [
            one
            for number, one in enumerate(result.seen)
            if number in (0, len(result.seen) - 1) or one.healthy != result.seen[number - 1].healthy
        ]
        times, healthy = [one.at - zero for one in changes], [one.healthy for one in changes]
        hosts.step(times, healthy, where="post", color="tab:purple")
        hosts.set_ylim(0, outcome.PAIR * 2.2)
        hosts.set_ylabel("healthy hosts")
        hosts.set_xlabel("seconds since the fault" if result.fault_at else "seconds")
        if result.fault_at:
            for axes in (rates, latencies, hosts):
                axes.axvline(0, color="black", linestyle=":", linewidth=1)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
