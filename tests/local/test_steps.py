"""A step of make up shows that it goes on."""

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
    steps._tick("slow", Seconds(20))
    printed = capsys.readouterr().out.split("\r" if terminal else "\n")[:-1]
    assert len(printed) == lines
    assert " ".join(printed[0].split()) == first


def test_a_step_ends_with_its_time_and_outcome_or_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with steps.step("first") as line:
        line.outcome = "created"
    with pytest.raises(KeyError), steps.step("second"):
        raise KeyError
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["first", "0.0", "s", "created"]
    assert second.split() == ["second", "failed"]
