"""What was found, as tables in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median

from bench.cases import Said
from bench.goals import Goal
from bench.memory import Usage
from bench.paths import Path
from bench.rivals import METHODS, Estimate
from bench.tools import TOOLS
from bench.trials import Trial

NOTHING = "none"


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


def beside(paths: Sequence[Path], trials: Sequence[Trial], rivals: Sequence[Estimate]) -> str:
    """A line for each path: how far off each method was. In the last, how often a verdict of its would be wrong."""
    rows = []
    for path in paths:
        ours = [
            one.claim.middle - one.draw.error
            for one in trials
            if one.path == path.name and one.claim
        ]
        others = [
            [
                one.off
                for one in rivals
                if (one.path, one.method) == (path.name, method) and one.off is not None
            ]
            for method in METHODS
        ]
        rows.append([path.name, *map(mean_and_worst, (ours, *others))])
    rows.append(["wrong verdicts", share(one.outcome == "wrong" for one in trials)])
    for method in METHODS:
        found = [one for one in rivals if one.method == method and one.found is not None]
        rows[-1].append(share(one.misjudges for one in found))
    return table(["path, ms", "ours", *METHODS], rows)


def examples(paths: Sequence[Path], trials: Sequence[Trial], rivals: Sequence[Estimate]) -> str:
    """The first trial of each path, with what the others took the same error to be."""
    head = ["path, ms", "true offset", "ours", "inside", "verdict", "requests", "s", *METHODS]
    rows = []
    for path in paths:
        one = next(one for one in trials if one.path == path.name)
        found = {rival.method: rival.found for rival in rivals if rival.seed == one.seed}
        rows.append(
            [
                path.name,
                f"{one.draw.error:+.3f}",
                f"{one.claim.middle:+.3f} ± {one.claim.half_width:.3f}" if one.claim else NOTHING,
                "yes" if one.inside else "no",
                f"{one.status} {one.reason}",
                str(one.requests),
                f"{one.seconds:.2f}",
                *(signed(found.get(method)) for method in METHODS),
            ]
        )
    return table(head, rows)


def cases(said: Iterable[Said]) -> str:
    """A line for each case: what each tool said of it, and whether that was wrong."""
    rows: dict[str, list[str]] = {}
    for one in said:
        wrong = " (wrong)" if one.right is False else ""
        rows.setdefault(one.case, []).append(f"{one.word}{wrong}")
    return table(["the service is", *TOOLS], ([name, *words] for name, words in rows.items()))


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


def signed(seconds: float | None) -> str:
    return NOTHING if seconds is None else f"{seconds:+.3f}"


def mean_and_worst(off: Sequence[float]) -> str:
    sizes = [abs(one) for one in off]
    return f"{ms(fmean(sizes))} / {ms(max(sizes))}" if sizes else NOTHING


def share(cases: Iterable[bool]) -> str:
    all_of_them = list(cases)
    return f"{sum(all_of_them):,} of {len(all_of_them):,}" if all_of_them else NOTHING
