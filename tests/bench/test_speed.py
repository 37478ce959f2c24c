"""The bench of speed: it reads wrk's figures, takes medians, and notices a failed request."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as command
from bench import speed
from bench.speed import DEVELOPMENT, FIXED, SERVICE
from deployment.errors import UserError

OUTPUT = """Running 5s test @ http://172.18.0.2:8080/now
  1 threads and 32 connections
  15525 requests in 5.00s, 10.10MB read
figures\t15525\t5.001\t0.982\t1050.0\t17
"""


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / "build").mkdir()
    monkeypatch.setattr(speed, "ROOT", tmp_path)
    return tmp_path / "build"


def test_the_figures_of_wrk_are_read(monkeypatch: pytest.MonkeyPatch, build: Path) -> None:
    commands: list[list[str]] = []

    def check_output(arguments: list[str], **_: Any) -> str:
        commands.append(arguments)
        return OUTPUT

    monkeypatch.setattr(subprocess, "check_output", check_output)
    assert speed.run_wrk("http://service/now", 5) == [15525, 5.001, 0.982, 1050.0, 17]
    assert commands[0][1:4] == ["-t1", "-c32", "-d5s"]
    assert commands[0][-1] == "http://service/now"
    assert "latency:percentile(99)" in (build / "bench-wrk.lua").read_text()


@pytest.mark.parametrize("output", ["", "figures\t0\t5.0\t0.0\t0.0\t32\n", "figures\t1\t2\n"])
def test_a_report_without_a_response_is_an_error(
    output: str, monkeypatch: pytest.MonkeyPatch, build: Path
) -> None:
    monkeypatch.setattr(subprocess, "check_output", lambda *_, **__: output)
    with pytest.raises(UserError, match="wrk got no response"):
        speed.run_wrk("http://service/now", 5)


def test_a_wrk_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, build: Path) -> None:
    monkeypatch.setattr(speed, "DEBIAN", build)
    with pytest.raises(UserError, match="make bench unpacks"):
        speed.run_wrk("http://service/now", 5)


class Loads:
    """Servers without containers. failed: requests of the service that fail in each round."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failed: float = 0) -> None:
        self.sizes: list[float] = []
        self.rates = {
            SERVICE: [400.0, 9_000.0, 300.0, 500.0, 1.0],
            DEVELOPMENT: [100.0] * 5,
            FIXED: [4_000.0] * 5,
        }
        self.failed = failed
        monkeypatch.setattr(speed, "start_servers", self.start_servers)
        monkeypatch.setattr(speed, "get_figures", self.get_figures)

    @contextlib.contextmanager
    def start_servers(self, cpus: float) -> Iterator[dict[str, Any]]:
        self.sizes.append(cpus)
        self.left = {name: list(rates) for name, rates in self.rates.items()}
        yield {name: name for name in self.rates}

    def get_figures(self, name: str) -> tuple[float, ...]:
        failed = self.failed if name == SERVICE else 7
        return self.left[name].pop(), 10, 20, 300, 40, failed


def test_the_median_of_the_rounds_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loads = Loads(monkeypatch)
    assert speed.measure()
    assert loads.sizes == [2.0, 0.2]
    output = capsys.readouterr().out
    assert output.count("| the service | 400 | 10.0 | 20.0 | 300 | 40 | 0 |") == 2
    assert output.count("| nginx, fixed | 4,000 | 10.0 | 20.0 | 300 | 40 | 35 |") == 2


def test_a_request_that_the_service_fails_misses_the_goal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Loads(monkeypatch, failed=1)
    assert not speed.measure()
    assert "| the service | 400 | 10.0 | 20.0 | 300 | 40 | 5 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "run", "status"),
    [
        ([], ["speed", "accuracy"], 1),
        (["speed"], ["speed"], 0),
        (["accuracy"], ["accuracy"], 1),
    ],
)
def test_the_command_runs_what_is_named_and_fails_with_a_missed_goal(
    arguments: list[str], run: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    def bench(name: str, is_held: bool) -> Any:
        def measure() -> bool:
            measured.append(name)
            return is_held

        return measure

    monkeypatch.setattr(
        command, "BENCHES", {"speed": bench("speed", True), "accuracy": bench("accuracy", False)}
    )
    assert command.main(arguments) == status
    assert measured == run


def test_the_command_reports_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> bool:
        raise UserError("wrk got no response")

    monkeypatch.setattr(command, "BENCHES", {"speed": fail})
    assert command.main(["speed"]) == 1
    assert capsys.readouterr().err == "error: wrk got no response\n"
