"""The monitor with a real NTP server on a free port, which responds rightly, wrongly, or never."""

from __future__ import annotations

import logging
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from functools import partial

import pytest

import sntp
from service.clock import Clock, Measurement, Moment
from service.timeserver import Monitor, Status, moment
from tests.support.waiting import PATIENCE, wait_until

FORMAT = struct.Struct("!BBBbIII8s8s8s8s")  # RFC 5905, figure 8
SINCE_1900 = 2_208_988_800
KISS_CODES = ("RATE", "DENY", "RSTR")


def stamp(seconds: float) -> bytes:
    """NTP's timestamp format: 32 bits of seconds since 1900, and 32 of their fraction."""
    return int((seconds + SINCE_1900) * 2**32).to_bytes(8, "big")


def packet(
    request: bytes,
    *,
    leap: int = 0,
    version: int = 4,
    mode: int = 4,
    stratum: int = 3,
    name: bytes = b"TEST",
    root_delay: float = 0.001,
    root_dispersion: float = 0.001,
    ahead: float = 0.0,
    origin: bytes | None = None,
    set_ago: float = 10.0,
    sent: float | None = None,
) -> bytes:
    """Return the reply of a server whose clock is `ahead` seconds fast; each field can be
    replaced."""
    now = time.time() + ahead
    return FORMAT.pack(
        leap << 6 | version << 3 | mode,
        stratum,
        4,
        -20,
        int(root_delay * 2**16),
        int(root_dispersion * 2**16),
        int.from_bytes(name, "big"),
        stamp(now - set_ago),
        origin or request[40:48],
        stamp(now),
        stamp(now if sent is None else sent),
    )


class Server:
    """Replies to each question with `reply(question)`; None is silence."""

    def __init__(self) -> None:
        self.reply: Callable[[bytes], bytes | None] = packet
        self.questions: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while question := self._socket.recvfrom(256):
            if not question[0]:  # an empty datagram is `close`
                return
            self.questions.append(question[0])
            if reply := self.reply(question[0]):
                self._socket.sendto(reply, question[1])

    def close(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def monitor(server: Server) -> Monitor:
    """Asks the server above, in this thread."""
    return Monitor(server.address, ask=partial(sntp.ask, timeout=PATIENCE))


class FakeClock:
    """Our two clocks, moved by hand."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.set_forward = 0.0

    def __call__(self) -> Moment:
        return Moment(1.8e9 + self.monotonic + self.set_forward, self.monotonic)


def script_responses(*script: sntp.Answer | Exception) -> Callable[[str, int], sntp.Answer]:
    """Return a function that asks no server and gives these responses in turn."""
    answers = iter(script)

    def ask(_host: str, _port: int) -> sntp.Answer:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


GOOD = sntp.Answer(0.0, 0.001)


def test_a_good_answer_is_measured(monitor: Monitor, server: Server) -> None:
    start = time.monotonic()
    monitor.poll()
    status = monitor.status()
    took = time.monotonic() - start
    offset, bound, age = (status.clock[key] for key in ("offset", "bound", "age"))
    assert (status.state, status.healthy) == ("synchronised", True)
    assert isinstance(offset, float)
    assert isinstance(bound, float)
    assert isinstance(age, float)
    assert abs(offset) <= bound < 0.2
    assert 0 <= age <= took + 0.001
    assert status.clock["server"] == server.address
    assert status.clock["trouble"] is None


def test_the_question_is_an_ntp_version_4_client_s(monitor: Monitor, server: Server) -> None:
    monitor.poll()
    assert server.questions[0][0] & 0b00_111_111 == 4 << 3 | 3


def test_a_host_whose_first_answer_is_far_off_is_unhealthy(
    monitor: Monitor, server: Server
) -> None:
    server.reply = partial(packet, ahead=3)
    monitor.poll()
    status = monitor.status()
    bound = status.clock["bound"]
    assert isinstance(bound, float)
    assert (status.state, status.healthy) == ("wrong", False)
    assert status.clock["offset"] == pytest.approx(3, abs=bound)


def test_a_server_that_jumps_is_reported_and_not_believed(monitor: Monitor, server: Server) -> None:
    monitor.poll()
    before = monitor.status().clock["bound"]
    server.reply = partial(packet, ahead=3)
    monitor.poll()
    status = monitor.status()
    after = status.clock["bound"]
    assert isinstance(before, float)
    assert isinstance(after, float)
    assert (status.state, status.healthy) == ("server_disagrees", True)
    assert status.clock["server_fault"] == pytest.approx(3, abs=before + after)
    assert status.clock["offset"] == pytest.approx(0, abs=before)


BAD_REPLIES: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    **{
        f"kiss of death {code}": (
            partial(packet, stratum=0, name=code.encode(), ahead=3),
            rf"\({code}\)",
        )
        for code in KISS_CODES
    },
    "unsynchronised stratum": (partial(packet, stratum=16, ahead=3), "stratum 16"),
    "unsynchronised leap": (partial(packet, leap=3, ahead=3), "not synchronised"),
    "wrong mode": (partial(packet, mode=3, ahead=3), "mode 3"),
    "wrong version": (partial(packet, version=2, ahead=3), "version 2"),
    "sent before it came": (partial(packet, sent=time.time() - 60), "out of order"),
    "negative delay": (partial(packet, sent=time.time() + 86_400), "delay"),
    "large dispersion": (partial(packet, root_dispersion=15), "root distance"),
    "too vague to judge us": (partial(packet, root_dispersion=0.3), "too vague"),
    "set long ago": (partial(packet, set_ago=30 * 86_400), "too long ago"),
    "cut short": (lambda question: packet(question)[:40], "^40 bytes are not an NTP packet$"),
}


@pytest.mark.parametrize(("reply", "said"), BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
def test_a_bad_answer_is_named_and_changes_nothing(
    reply: Callable[[bytes], bytes | None], said: str, monitor: Monitor, server: Server
) -> None:
    monitor.poll()
    before = monitor.status().clock
    server.reply = reply
    monitor.poll()
    status = monitor.status()
    assert (status.state, status.healthy) == ("synchronised", True)
    assert (status.clock["bound"], status.clock["server_fault"]) == (before["bound"], 0)
    assert status.clock["offset"] == pytest.approx(before["offset"], abs=0.001)
    trouble = status.clock["trouble"]
    assert isinstance(trouble, str)
    assert re.search(said, trouble)


@pytest.mark.parametrize("origin", [stamp(1.7e9), bytes(8)], ids=["another", "none"])
def test_a_response_to_another_request_is_named_and_changes_nothing(
    origin: bytes, server: Server
) -> None:
    """After such a response, the wait continues until the time-out."""
    monitor = Monitor(server.address, ask=partial(sntp.ask, timeout=2))
    server.reply = partial(packet, origin=origin)
    monitor.poll()
    trouble = "the response belongs to another request (wrong origin)"
    assert monitor.status().clock["trouble"] == trouble
    assert monitor.status().clock["offset"] is None


def test_silence_is_named_and_changes_nothing(server: Server) -> None:
    monitor = Monitor(server.address, ask=partial(sntp.ask, timeout=0.1))
    server.reply = lambda _question: None
    monitor.poll()
    assert monitor.status().clock["trouble"] == "no response in time"
    assert monitor.status().clock["offset"] is None


def test_a_server_that_nobody_knows_is_trouble_and_not_the_end() -> None:
    monitor = Monitor("does-not-exist.invalid", ask=script_responses(sntp.NtpError("no such name")))
    monitor.poll()
    assert monitor.status().clock["trouble"] == "no such name"


@pytest.mark.parametrize("trouble", [ValueError("surprise"), ValueError()])
def test_no_surprise_ends_the_watch(trouble: Exception) -> None:
    monitor = Monitor("server", ask=script_responses(trouble, GOOD))
    monitor.poll()
    assert monitor.status().clock["trouble"] == (str(trouble) or "ValueError")
    monitor.poll()
    assert monitor.status().state == "synchronised"


def test_a_bad_port_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="ntp"):
        Monitor("127.0.0.1:ntp")


def test_a_host_is_unhealthy_until_the_first_answer() -> None:
    monitor = Monitor("server", ask=script_responses(sntp.NtpError("lost"), GOOD), now=FakeClock())
    assert (monitor.status().state, monitor.status().healthy) == ("starting", False)
    monitor.poll()
    assert (monitor.status().state, monitor.status().clock["offset"]) == ("starting", None)
    monitor.poll()
    assert monitor.status().healthy


def test_a_host_without_any_answer_serves_after_the_start() -> None:
    now = FakeClock()
    monitor = Monitor("server", ask=script_responses(sntp.NtpError("lost")), now=now)
    monitor.poll()
    now.monotonic += 10
    assert (monitor.status().state, monitor.status().healthy) == ("server_silent", True)


def test_silence_keeps_the_last_answer_and_shows_its_age() -> None:
    now = FakeClock()
    monitor = Monitor("server", ask=script_responses(GOOD, sntp.NtpError("lost")), now=now)
    monitor.poll()
    now.monotonic += 3600
    monitor.poll()
    status = monitor.status()
    assert (status.state, status.healthy) == ("server_silent", True)
    assert (status.clock["age"], status.clock["trouble"]) == (3600, "lost")


def test_a_step_of_our_clock_shows_between_the_polls() -> None:
    now = FakeClock()
    monitor = Monitor("server", ask=script_responses(GOOD), now=now)
    monitor.poll()
    now.set_forward = 2
    assert (monitor.status().state, monitor.status().healthy) == ("wrong", False)
    assert monitor.status().clock["offset"] == -2
    now.set_forward = 0
    assert monitor.status().healthy


def test_a_status_is_the_key_of_a_cache_and_cannot_be_changed() -> None:
    status, same = Status("synchronised", {}), Status("synchronised", {})
    assert len({status, same}) == 2
    with pytest.raises(FrozenInstanceError):
        status.state = "wrong"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("later", "is_used"),
    [
        (Moment(0.099, 0.199), True),
        (Moment(0.1, 0.2), False),
        # Our clock is set, by less and by more.
        (Moment(9e-6, 0.1), True),
        (Moment(10e-6, 0.1), False),
        (Moment(-10e-6, 0.1), False),
    ],
)
def test_a_status_is_used_again_for_a_tenth_of_a_second_but_not_after_a_step(
    later: Moment, is_used: bool
) -> None:
    now = Moment(0.0, 0.1)
    monitor = Monitor("server", ask=script_responses(GOOD), now=lambda: now)
    monitor.poll()
    status = monitor.status()
    now = later
    assert (monitor.status() is status) is is_used


@pytest.mark.parametrize(
    ("response", "key", "value"),
    [(sntp.Answer(0.1, 0.001), "offset", 0.1), (sntp.NtpError("lost"), "trouble", "lost")],
)
def test_a_poll_ends_the_use_of_a_status(
    response: sntp.Answer | Exception, key: str, value: object
) -> None:
    monitor = Monitor("server", ask=script_responses(GOOD, response), now=FakeClock())
    monitor.poll()
    assert monitor.status().clock[key] != value
    monitor.poll()
    assert monitor.status().clock[key] == value


def test_an_answer_during_which_our_clock_was_set_is_not_used() -> None:
    now = FakeClock()

    def ask(_host: str, _port: int) -> sntp.Answer:
        now.set_forward += 2
        return GOOD

    monitor = Monitor("server", ask=ask, now=now)
    monitor.poll()
    status = monitor.status()
    assert (status.state, status.clock["offset"]) == ("starting", None)
    assert status.clock["trouble"] == "our clock was set during the request"


@pytest.mark.parametrize(("change", "used"), [(0.005, True), (0.0051, False), (-0.0051, False)])
def test_a_step_of_five_milliseconds_during_a_request_is_the_most(
    change: float, used: bool
) -> None:
    now = Moment(0.0, 0.0)

    def ask(_host: str, _port: int) -> sntp.Answer:
        nonlocal now
        now = Moment(change, 0.0)
        return GOOD

    monitor = Monitor("server", ask=ask, now=lambda: now)
    monitor.poll()
    assert (monitor.status().clock["trouble"] is None) is used


@pytest.mark.parametrize(("bound", "used"), [(0.2, True), (0.201, False)])
def test_a_response_with_a_bound_above_a_fifth_of_a_second_is_too_vague(
    bound: float, used: bool
) -> None:
    monitor = Monitor("server", ask=script_responses(sntp.Answer(0.0, bound)), now=FakeClock())
    monitor.poll()
    assert (monitor.status().clock["trouble"] is None) is used


def test_the_age_counts_from_the_response_and_not_from_the_request() -> None:
    now = FakeClock()

    def ask(_host: str, _port: int) -> sntp.Answer:
        now.monotonic += 1.5
        return GOOD

    monitor = Monitor("server", ask=ask, now=now)
    monitor.poll()
    assert monitor.status().clock["age"] == 0


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_closest_of_three_pairs_of_readings_is_taken(
    best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is interrupted for 0.7 s between two readings has not seen a step."""
    monotonic, wall = [], []
    for pair in range(3):
        monotonic += [10.0 + pair, 10.0 + pair + (0.0001 if pair == best else 0.7)]
        wall.append(99.0 + pair)
    readings = iter(monotonic)
    monkeypatch.setattr(time, "clock_gettime", lambda _kind: next(readings))
    monkeypatch.setattr(time, "time", iter(wall).__next__)
    assert moment() == Moment(99.0 + best, 10.0 + best)


def test_a_close_pair_of_readings_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([10.0, 10.000009])
    monkeypatch.setattr(time, "clock_gettime", lambda _kind: next(readings))
    monkeypatch.setattr(time, "time", iter([99.0]).__next__)
    assert moment() == Moment(99.0, 10.0)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has it")
def test_a_machine_that_slept_does_not_call_its_clock_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only CLOCK_BOOTTIME counts the time that the machine slept."""
    slept = 0.0

    def read(kind: int) -> float:
        return 1000.0 + (slept if kind == time.CLOCK_BOOTTIME else 0.0)

    monkeypatch.setattr(time, "clock_gettime", read)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(time, "time", lambda: 1.8e9 + slept)
    monitor = Monitor("server", ask=script_responses(GOOD))
    monitor.poll()
    assert monitor.status().state == "synchronised"
    slept = 3600.0
    assert monitor.status().state == "server_silent"
    assert monitor.status().healthy


def poll_intervals(monitor: Monitor, polls: int) -> list[float]:
    """Poll so often, and return the seconds that the monitor waits after each poll."""
    intervals = []
    for _ in range(polls):
        monitor.poll()
        intervals.append(monitor.poll_interval())
    return intervals


def test_the_first_questions_are_quick_even_if_they_are_lost() -> None:
    monitor = Monitor("server", ask=script_responses(sntp.NtpError("lost"), *[GOOD] * 4))
    assert poll_intervals(monitor, 5) == [1, 1, 1, 16, 16]


def test_a_kiss_of_death_is_heeded_and_slowly_forgiven() -> None:
    kiss = sntp.KissOfDeath("kiss of death (RATE)")
    lost = sntp.NtpError("lost")
    monitor = Monitor("server", ask=script_responses(GOOD, *[kiss] * 8, lost, *[GOOD] * 8))
    assert poll_intervals(monitor, 9) == [1, 32, 64, 128, 256, 512, 1024, 1024, 1024]
    assert poll_intervals(monitor, 9) == [1024, 512, 256, 128, 64, 32, 16, 16, 16]


def test_a_server_that_never_stops_kissing_is_asked_for_ever_and_forgiven_as_fast() -> None:
    """The thread must not end, because nothing else watches the clock."""
    kiss = sntp.KissOfDeath("kiss of death (DENY)")
    monitor = Monitor("server", ask=script_responses(*[kiss] * 2000, *[GOOD] * 6))
    assert set(poll_intervals(monitor, 2000)[6:]) == {1024}
    assert poll_intervals(monitor, 6) == [512, 256, 128, 64, 32, 16]


@pytest.mark.parametrize(
    "server", ["host:0", "host:65536", "host:-1", "host:ntp", "", ":123", "[::1", "[::1]123"]
)
def test_what_is_no_server_is_refused_at_once(server: str) -> None:
    with pytest.raises(ValueError, match="not a server such as"):
        Monitor(server)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, object]]]:
    """Level, message and fields of each line."""
    return [(line.levelname, line.message, vars(line)["fields"]) for line in caplog.records]


def test_trouble_is_logged_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost = sntp.NtpError("lost")
    monitor = Monitor("server", ask=script_responses(GOOD, lost, lost, GOOD, GOOD))
    with caplog.at_level(logging.INFO):
        poll_intervals(monitor, 5)
    assert lines(caplog)[1:] == [
        (
            "WARNING",
            "the time server gives no valid response",
            {"server": "server", "trouble": "lost"},
        ),
        ("INFO", "the time server responds", {"server": "server", "trouble": None}),
    ]


def test_each_state_of_the_clock_is_logged_once_by_whoever_sees_it_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = FakeClock()
    monitor = Monitor("server", ask=script_responses(GOOD, GOOD), now=now)
    with caplog.at_level(logging.INFO):
        poll_intervals(monitor, 2)
        now.set_forward = 2
        assert [monitor.status().healthy for _ in range(3)] == [False] * 3
        now.set_forward = 0
        assert [monitor.status().healthy for _ in range(3)] == [True] * 3
    right = {"healthy": True, "state": "synchronised", "offset": 0.0}
    wrong = {"healthy": False, "state": "wrong", "offset": -2.0}
    rest = {"bound": 0.001, "server": "server"}
    assert lines(caplog) == [
        ("INFO", "the clock agrees with the time server", right | rest),
        ("WARNING", "the clock is more than 0.5 s off", wrong | rest),
        ("INFO", "the clock agrees with the time server", right | rest),
    ]


def test_the_thread_asks_again_and_again_until_the_process_ends() -> None:
    asked = threading.Semaphore(0)
    threads = []

    def ask(_host: str, _port: int) -> sntp.Answer:
        threads.append(threading.current_thread())
        asked.release()
        return GOOD

    monitor = Monitor("server", ask=ask)
    intervals = iter([0.001])
    monitor.poll_interval = lambda: next(intervals, 3600.0)  # type: ignore[method-assign]
    monitor.start()
    assert asked.acquire(timeout=PATIENCE)
    assert asked.acquire(timeout=PATIENCE)
    assert all(thread.daemon for thread in threads)


def test_the_thread_measures_a_real_server(server: Server) -> None:
    monitor = Monitor(server.address)
    monitor.poll_interval = lambda: 3600.0  # type: ignore[method-assign]
    monitor.start()
    wait_until(lambda: monitor.status().state == "synchronised")


def test_the_status_has_microseconds_and_the_age_milliseconds() -> None:
    now = Moment(1.8e9, 1000.0)
    monitor = Monitor("server", now=lambda: now)
    newest = Measurement(0.12345678, 0.00012345678, Moment(1.8e9 - 1.2345678, 998.7654322))
    monitor._clock = Clock(990.0, newest, server_fault=0.00012345678)
    clock = monitor.status().clock
    assert clock["server_fault"] == clock["bound"] == 0.000123
    assert clock["offset"] == 0.123333
    assert clock["age"] == 1.235
