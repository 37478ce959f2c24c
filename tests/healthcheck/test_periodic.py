"""Periodic checks: a fixed rate, and few requests to others' servers."""

from __future__ import annotations

import gc
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from healthcheck import __main__ as command
from healthcheck import periodic, reference
from healthcheck.check import check
from healthcheck.clock import read_clocks
from healthcheck.interval import Interval
from healthcheck.periodic import SparingReference, ticks
from healthcheck.reading import Reference, Server
from healthcheck.waiting import Bell, pause
from tests.support.healthcheck_servers import ntp, time_service, web
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


class Clock(Bell):
    """A steady clock that moves only when somebody waits, for a ring that never comes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def wait(self, timeout: float, rings: int = 1) -> bool:
        self.now += timeout
        return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    with Clock() as clock:
        monkeypatch.setattr(periodic, "time_since_boot", lambda: clock.now)
        yield clock


def start_times(clock: Clock, takes: Sequence[float], every: float = 10.0) -> list[float]:
    """Return when checks of these durations begin, in seconds after the first."""
    times = []
    for _, took in zip(ticks(every, clock), takes, strict=False):
        times.append(clock.now - 1000.0)
        clock.now += took
    return times


def test_the_rate_is_fixed_and_jitter_does_not_add_up(clock: Clock) -> None:
    times = start_times(clock, [0.5] * 1000)
    assert times[0] == 0
    late = [began - 10 * turn for turn, began in enumerate(times)]
    assert all(0 <= delay <= 1 for delay in late)
    assert len(set(late)) > 900


def test_a_slow_check_costs_its_turns_and_no_more(clock: Clock) -> None:
    times = start_times(clock, [0.5, 25.0, 0.5, 0.5])
    assert [int(began // 10) for began in times] == [0, 1, 4, 5]


def test_the_first_check_is_at_once_and_nothing_is_waited_for_after_the_last(clock: Clock) -> None:
    assert len(list(itertools.islice(ticks(10, clock), 1))) == 1
    assert clock.now == 1000
    assert len(list(itertools.islice(ticks(10, clock), 3))) == 3
    assert clock.now < 1000 + 22


def test_a_turn_that_is_due_is_not_waited_for(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The jitter makes a turn late, so that the next one is due while the check still runs."""
    chances = iter([1.0, 0.0, 0.0, 0.0])
    monkeypatch.setattr(random, "random", lambda: next(chances))
    # The second check ends in its own turn, after the moment of the third.
    assert start_times(clock, [0.5, 9.5, 0.5, 0.5]) == [0, 11, 30, 40]


def test_two_checks_of_one_turn_are_not_made(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait may end a little before its time."""
    monkeypatch.setattr(random, "random", lambda: 0.0)

    def wait(timeout: float) -> bool:
        clock.now += max(timeout - 0.001, 0.0005)
        return False

    monkeypatch.setattr(clock, "wait", wait)
    assert start_times(clock, [0.0, 0.0, 0.0]) == pytest.approx([0, 10, 20], abs=0.001)


def test_a_machine_that_slept_checks_soon_after_it_wakes(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait in which the machine fell asleep runs to its end, and the next wait takes no
    time."""
    sleeps = iter([3600.0])

    def wait(timeout: float) -> bool:
        clock.now += timeout + next(sleeps, 0.0)
        return False

    monkeypatch.setattr(clock, "wait", wait)
    _, second = start_times(clock, [0.0, 0.0], every=1800.0)
    assert second == 3610.0


def test_a_signal_that_comes_when_a_turn_is_due_is_heeded(clock: Clock) -> None:
    turns = ticks(10, clock)
    next(turns)
    clock.ring()
    assert list(turns) == []


def test_a_signal_ends_the_waiting() -> None:
    with Bell() as stop:
        turns = ticks(60, stop)
        next(turns)
        threading.Timer(0.05, stop.ring).start()
        start = time.perf_counter()
        assert list(turns) == []
        assert time.perf_counter() - start < 30


def test_a_signal_during_a_check_ends_it_after_that() -> None:
    with Bell() as stop:
        turns = ticks(0.001, stop)
        next(turns)
        stop.ring()
        pause(0.01)
        assert list(turns) == []


class Servers:
    """NTP servers that count how often they are asked, and a steady clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked: list[list[str]] = []
        self.denied: set[str] = set()

    def __call__(self, servers: Sequence[str], patience: float) -> Reference:
        self.asked.append(list(servers))
        answers = tuple(Server(name, None, "", name in self.denied) for name in servers)
        return Reference("ntp", Interval(0, 0), self.now, read_clocks(), answers)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers()
    monkeypatch.setattr(reference, "measure", servers)
    monkeypatch.setattr(periodic, "steady_time", lambda: servers.now)
    return servers


@pytest.mark.parametrize(
    ("names", "age"), [(["a", "b"], 64.0), (["a", "2.debian.pool.ntp.org"], 1800.0)]
)
def test_servers_of_others_are_asked_seldom(servers: Servers, names: list[str], age: float) -> None:
    ask = SparingReference(names)
    first = ask(1.0)
    assert ask(1.0) is first
    servers.now += age - 0.5
    assert ask(1.0) is first
    servers.now += 0.5
    assert ask(1.0) is not first
    assert servers.asked == [names] * 2


def test_they_are_asked_again_when_this_machine_has_slept_and_not_when_its_clock_was_set(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = SparingReference(["a"])
    before = ask(1.0).own
    monkeypatch.setattr(periodic, "read_clocks", lambda: before._replace(epoch=before.epoch + 3600))
    ask(1.0)
    assert len(servers.asked) == 1
    monkeypatch.setattr(periodic, "read_clocks", lambda: before._replace(slept=before.slept + 60))
    ask(1.0)
    assert len(servers.asked) == 2


def test_our_own_clock_in_place_of_silent_servers_is_read_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def measure(servers: Sequence[str], patience: float) -> Reference:
        asked.append(servers)
        return reference.use_own_clock("local")

    monkeypatch.setattr(reference, "measure", measure)
    ask = SparingReference(["a"])
    first, real = ask(1.0), time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert ask(1.0).own.epoch - first.own.epoch > 3599
    assert len(asked) == 1


def test_a_server_that_wants_to_be_left_alone_is(servers: Servers) -> None:
    servers.denied = {"b"}
    ask = SparingReference(["a", "b", "c"])
    for _ in range(3):
        ask(1.0)
        servers.now += 64.0
    assert servers.asked == [["a", "b", "c"], ["a", "c"], ["a", "c"]]


def test_a_kiss_of_death_is_one_that_wants_to_be_left_alone() -> None:
    with ntp(stratum=0, reference_id=b"RATE") as rude, ntp() as good:
        found = SparingReference([rude.name, good.name])(1.0)
    assert [server.denied for server in found.servers] == [True, False]


def test_the_command_checks_again_and_again_and_prints_each_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns: list[float] = []
    shifts = iter([0.0, 5.0, 5.0])
    shift = [0.0]

    def three_ticks(every: float, stop: Bell) -> Iterator[None]:
        turns.append(every)
        for _ in itertools.islice(ticks(every, stop), 3):
            shift[0] = next(shifts)
            yield

    monkeypatch.setattr(command, "ticks", three_ticks)
    with web(lambda request: time_service(shift[0])(request)) as service, ntp() as server:
        assert command.main([service.url, "--ntp", server.name, "--every", "0.05"]) == 2
        assert server.asked == 1
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["OK:", "Failed:", "Failed:"]
    assert (turns, err) == ([0.05], "")


def test_the_command_ends_after_its_count_with_the_code_of_the_last_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with web(time_service(5)) as service, ntp() as server:
        arguments = [service.url, "--ntp", server.name, "--every", "0.05", "--count", "2"]
        assert command.main(arguments) == 2
    assert capsys.readouterr().out.count("\n") == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_well(number: int) -> None:
    with web(time_service(5)) as service, ntp() as server:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "healthcheck",
                service.url,
                "--ntp",
                server.name,
                "--every",
                "3000",
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        assert process.stdout
        assert process.stdout.readline().startswith("Failed: ")
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert err == ""


def test_check_after_check_leaves_no_memory_behind() -> None:
    with web(time_service()) as service, ntp() as server:
        ask, before = SparingReference([server.name]), set(threading.enumerate())

        def checks(number: int) -> int:
            for _ in range(number):
                assert check(service.url, ask_reference=ask).verdict.status == "OK"
                service.requests.clear()
            # The checker's threads and the server's may end a little later than the check.
            for thread in set(threading.enumerate()) - before:
                thread.join(PATIENCE)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            sizes = [checks(10) for _ in range(5)]
            # A leak grows in each round. A cache that fills, or a late thread, grows in some.
            growths = [after - before for before, after in itertools.pairwise(sizes)]
            assert min(growths) < 10_000, growths  # a kilobyte a check would be more
        finally:
            tracemalloc.stop()
