"""What was found, as tables in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from bench.goals import Goal
from bench.memory import Usage
from bench.paths import Path
from bench.trials import Trial


def ours(paths: Sequence[Path], trials: Sequence[Trial]) -> str:
    """A line for each path: what the checks found on it."""
    head = ["path, ms", "RTT", "trials", "truth inside", "wrong", "undetermined", "unknown"]
    head += ["median bound", "worst less RTT/2", "median requests", "median s"]
    rows = []
    for path in paths:
        mine = [one for one in trials if one.path == path.name]
        bounds = [one.claim.half_width for one in mine if one.claim]
        outcomes = [one.outcome for one in mine]
        rows.append(
            [
                path.name,
                ms(path.rtt),
                str(len(mine)),
                f"{sum(one.inside for one in mine)} of {len(bounds)}",
                *(str(outcomes.count(kind)) for kind in ("wrong", "undetermined", "unknown")),
                ms(median(bounds)),
                ms(max(bounds) - path.rtt / 2),
                f"{median(one.requests for one in mine):g}",
                f"{median(one.seconds for one in mine):.2f}",
            ]
        )
    return table(head, rows)


def memory(usages: Iterable[Usage]) -> str:
    """What the checking process held, and when."""
    head = ["checks", "resident KiB", "open files", "threads"]
    return table(head, ([f"{number:,}" for number in usage] for usage in usages))


def targets(goals: Iterable[Goal]) -> str:
    head = ["what", "target", "found", "held"]
    return table(head, ([*one[:3], "yes" if one.held else "NO"] for one in goals))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown, and straight for those who read it as it is; the first column is text, the others are numbers."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    texts = [
        " | ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([f"| {texts[0]} |", f"|{rule}|", *(f"| {text} |" for text in texts[1:])])


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"
