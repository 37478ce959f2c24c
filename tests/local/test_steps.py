"""A step of make up shows its progress."""

from __future__ import annotations

import threading

import pytest

from local import steps


class Seconds(threading.Event):
    """An event that is set after some calls of wait, which return at once."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.left = number

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize(
    ("terminal", "first", "lines"),
    [(False, "slow 10 s so far", 2), (True, "slow 0 s", 21)],
    ids=["elsewhere every ten", "on a terminal each"],
)
def test_a_step_shows_how_long_it_has_taken(
    terminal: bool,
    first: str,
    lines: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(steps.sys.stdout, "isatty", lambda: terminal)  # type: ignore[attr-defined]
    steps._tick("slow", Seconds(20), lambda: "")
    printed = capsys.readouterr().out.split("\x1b[K\r" if terminal else "\n")
    assert printed.pop() == ""
    if terminal:
        assert printed.pop() == ""  # the line is erased before the outcome is printed
    assert len(printed) == lines
    assert " ".join(printed[0].split()) == first


def test_a_step_shows_what_goes_on_at_each_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps.sys.stdout, "isatty", lambda: False)  # type: ignore[attr-defined]
    news = iter(["a installing Docker", "a installing Docker", "a starting the service", None])

    def watch() -> str:
        text = next(news)
        if text is None:
            raise OSError("the engine is away")
        return text

    steps._tick("stack", Seconds(13), watch)
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "stack 2 s a installing Docker",
        "stack 8 s a starting the service",
        "stack 10 s so far",
    ]


def test_a_line_on_a_terminal_stays_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise each second would print another line."""
    monkeypatch.setattr(steps.sys.stdout, "isatty", lambda: True)  # type: ignore[attr-defined]
    monkeypatch.setenv("COLUMNS", "90")
    steps._tick("stack", Seconds(3), lambda: "a installing Docker, b installing Docker")
    lines = capsys.readouterr().out.split("\x1b[K\r")
    assert [len(line) for line in lines] == [67, 67, 89, 89, 0, 0]


def test_a_step_ends_with_its_time_and_outcome_or_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = iter([10.0, 12.5, 20.0, 20.1])
    monkeypatch.setattr(steps.time, "monotonic", lambda: next(moments))  # type: ignore[attr-defined]
    with steps.step("first") as line:
        line.outcome = "created"
    with pytest.raises(KeyError), steps.step("second"):
        raise KeyError
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["first", "2.5", "s", "created"]
    assert second.split() == ["second", "0.1", "s", "failed"]
