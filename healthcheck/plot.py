"""Draws what checks found out: each instance's offset with its bound over time. Needs matplotlib, which is an extra."""

from __future__ import annotations

import importlib.util
import io
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from healthcheck.check import Result
from healthcheck.interval import Interval
from healthcheck.verdict import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMS = (".png", ".svg")
MOST = 10_000  # points; a week of checks each minute, and what can be told apart on a screen
NAMED = 10  # instances in the legend
DAY = 86_400  # seconds; matplotlib counts days since 1970
COLOURS = {"OK": "tab:green", "Failed": "tab:red", "Unknown": "tab:grey"}
NEEDED = "this needs matplotlib: pip install matplotlib"


def available() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


class Point(NamedTuple):
    """An instance's error (seconds) at a time (seconds since 1970), by one answer or by all of a check."""

    instance: str
    at: float
    error: Interval


class Plot:
    """What was found out lately; it stops growing at MOST points of a kind."""

    def __init__(self) -> None:
        self._answers: deque[Point] = deque(maxlen=MOST)
        self._verdicts: deque[Point] = deque(maxlen=MOST)
        self._without: deque[tuple[float, Status]] = deque(
            maxlen=MOST
        )  # checks that found no offset
        self._title = ""

    def add(self, result: Result) -> None:
        verdict, reference = result.verdict, result.reading.reference
        latest: dict[str, float] = {}
        for one in result.reading.samples:
            latest[one.instance] = at = one.before.epoch + one.arrived
            if reference.comparable(one):
                self._answers.append(Point(one.instance, at, reference.error_of(one)))
        self._verdicts.extend(
            Point(one.name, latest[one.name], one.error) for one in verdict.instances
        )
        if not verdict.instances:
            self._without.append((result.checked_at, verdict.status))
        self._title = f"{verdict.status}: {verdict.detail}"

    def drawn(self, form: str) -> bytes:
        """The picture, in one of FORMS; raises ImportError without matplotlib."""
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        picture = io.BytesIO()
        with rc_context({"svg.fonttype": "none"}):  # text that can be searched and selected
            figure = Figure(figsize=(10, 5), layout="constrained")
            self.draw(figure.add_subplot())
            figure.savefig(picture, format=form.removeprefix("."), dpi=120)
        return picture.getvalue()

    def draw(self, axes: Axes) -> None:
        names = sorted({point.instance for point in self._verdicts})
        for number, name in enumerate(names):
            colour = f"C{number % 10}"
            answers = [one for one in self._answers if one.instance == name]
            lows, highs = ([one.error[end] * 1e3 for one in answers] for end in (0, 1))
            axes.vlines(_days(answers), lows, highs, colors=colour, alpha=0.25, linewidth=5)
            verdicts = [one for one in self._verdicts if one.instance == name]
            axes.errorbar(
                _days(verdicts),
                [one.error.middle * 1e3 for one in verdicts],
                [one.error.half_width * 1e3 for one in verdicts],
                fmt="o", color=colour, capsize=4, markersize=4,
                label=_plain(name) if number < NAMED else None,
            )  # fmt: skip
        for at, status in self._without:
            axes.axvline(at / DAY, color=COLOURS[status], linewidth=1)
        axes.xaxis_date()
        axes.axhline(0, color="black", linewidth=0.5)
        axes.set_title(_plain(self._title), fontsize="medium", wrap=True)
        axes.set_ylabel("offset to true time, ms")
        axes.set_xlabel(
            "time (UTC); wide bars: what each answer allows; narrow: what all of a check allow together"
        )
        axes.tick_params(axis="x", labelrotation=15)
        axes.grid(alpha=0.3)
        if names:
            axes.legend(title="instance")


def _days(points: list[Point]) -> list[float]:
    return [one.at / DAY for one in points]


def _plain(text: str) -> str:
    """As it is: matplotlib would take dollars for formulas, and leave out what begins with an underscore."""
    return " " * text.startswith("_") + text.replace("$", r"\$")
