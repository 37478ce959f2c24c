"""A picture of a drill: requests and failures each second, latencies, and healthy hosts."""

from collections import Counter
from math import floor
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from drills.outcome import PAIR, Outcome


def draw(outcome: Outcome, path: Path) -> None:
    """Write the picture as SVG."""
    zero = outcome.fault_at or outcome.began
    good: Counter[int] = Counter()
    bad: Counter[int] = Counter()
    worst: dict[int, float] = {}
    for request in outcome.requests:
        second = floor(request.due - zero)
        (bad if request.has_failed else good)[second] += 1
        worst[second] = max(worst.get(second, 0.0), request.latency * 1e3)
    seconds = range(min(worst, default=0), max(worst, default=0) + 1)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": outcome.name}):
        figure = Figure(figsize=(9, 5), layout="constrained")
        rates, latencies, hosts = figure.subplots(3, sharex=True, height_ratios=[2, 1.4, 1])
        verdict = "held" if outcome.holds else "failed"
        rates.set_title(f"{outcome.name}: {outcome.what}: {verdict}", fontsize=10)
        counts = [good[second] for second in seconds], [bad[second] for second in seconds]
        colors = ["tab:green", "tab:red"]
        labels = ["answered", "failed"]
        rates.stackplot(seconds, *counts, labels=labels, colors=colors, step="post")
        rates.legend(loc="lower right", fontsize=8)
        rates.set_ylabel("requests / s")
        latencies.step(list(worst), list(worst.values()), where="post", linewidth=1)
        latencies.set_yscale("log")
        latencies.set_ylabel("worst, ms")
        times = [look.at - zero for look in outcome.looks]
        healthy = [look.healthy for look in outcome.looks]
        hosts.step(times, healthy, where="post", color="tab:purple")
        hosts.set_ylim(0, PAIR * 2.2)
        hosts.set_ylabel("healthy hosts")
        hosts.set_xlabel("seconds since the fault" if outcome.fault_at else "seconds")
        for axes in (rates, latencies, hosts):
            axes.axvline(0, color="black", linestyle=":", linewidth=1)
        figure.savefig(path, metadata={"Date": None})
