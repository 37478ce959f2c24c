"""True time from NTP servers on this machine: which responses count, and what they add up to."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import sntp
from healthcheck import reference
from healthcheck.check import check
from healthcheck.clock import OwnClocks
from healthcheck.interval import Interval
from healthcheck.reading import Kind, Reference, Server
from healthcheck.reference import (
    SERVERS,
    TIMEOUT,
    canonical_address,
    combine,
    measure,
    use_own_clock,
)
from tests.support.healthcheck_servers import (
    UdpServer,
    ntp,
    packet,
    packet_at,
    serve,
    time_service,
    timestamp,
    udp,
    web,
)
from tests.support.waiting import PATIENCE, wait_until


def measure_servers(*servers: UdpServer, timeout: float = PATIENCE) -> Reference:
    return measure([server.name for server in servers], timeout)


@contextlib.contextmanager
def clocks(*shifts: float) -> Iterator[list[UdpServer]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(ntp(shift=shift)) for shift in shifts]


@pytest.mark.parametrize("shift", [0.0, 2.5, -400.0])
def test_a_good_server_gives_the_offset_with_its_bound(shift: float) -> None:
    with ntp(shift=shift) as server:
        measured = measure_servers(server)
    assert measured.kind == "single"
    assert measured.offset.low <= shift <= measured.offset.high
    # Half the root delay and all of the dispersion are in it: 1.5 ms.
    assert 0.0015 < measured.offset.half_width < 1


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"stratum": 0, "reference_id": b"RATE"}, "RATE", id="kiss of death"),
        pytest.param({"stratum": 0, "reference_id": b"DENY"}, "DENY", id="another kiss"),
        pytest.param({"stratum": 16}, "not synchronised", id="stratum 16"),
        pytest.param({"leap": 3}, "not synchronised", id="leap 3"),
        pytest.param({"mode": 3}, "mode 3", id="a client's mode"),
        pytest.param({"mode": 5}, "mode 5", id="a broadcast"),
        pytest.param({"version": 1}, "version 1", id="version 1"),
        pytest.param({"origin": timestamp(0)}, "origin", id="no origin"),
        pytest.param({"origin": timestamp(1_700_000_000)}, "origin", id="a wrong origin"),
        pytest.param({"received": 0}, "missing", id="no receive time"),
        pytest.param({"received": 2_000_000_000}, "out of order", id="sent before received"),
        pytest.param({"received": 1_700_000_000}, "delay", id="an impossible delay"),
        pytest.param({"root_dispersion": 15.0}, "root distance", id="dispersion"),
        pytest.param({"precision": 10}, "root distance", id="a clock that ticks in minutes"),
        pytest.param({"root_delay": 1.2}, "root distance", id="root delay"),
        pytest.param({"reference_age": 30 * 86400}, "too long ago", id="set a month ago"),
        pytest.param({"reference_age": -60}, "too long ago", id="set in the future"),
    ],
)
def test_an_answer_that_must_not_be_used_is_refused_with_the_reason(
    fields: dict[str, Any], why: str
) -> None:
    with ntp(**fields) as server:
        measured = measure_servers(server, timeout=2.0)
    assert measured.kind == "local"
    assert measured.servers[0].offset is None
    assert why in measured.servers[0].trouble


def test_a_cut_packet_is_refused() -> None:
    with udp(lambda request: request[:20]) as server:
        assert measure_servers(server, timeout=0.3).servers[0].offset is None


def test_a_silent_server_costs_its_timeout_and_no_more() -> None:
    with udp(lambda request: None) as server:
        start = time.perf_counter()
        measured = measure_servers(server, timeout=0.2)
    assert measured.kind == "local"
    assert not measured.servers[0].denied
    assert 0.15 < time.perf_counter() - start < 30


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_a_stranger_is_not_listened_to_and_wins_no_time(address: str) -> None:
    """The stranger sends good responses now and then, from another address or port."""
    measured_once = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((address, 0))

        class Betrayed(UdpServer):
            def finish_request(self, request: Any, client_address: Any) -> None:
                for _ in range(2000):
                    stranger.sendto(packet(request[0], shift=500.0), client_address)
                    if measured_once.wait(0.05):
                        return

        with Betrayed(lambda _: None) as server, serve(server):
            start = time.perf_counter()
            measured = measure_servers(server, timeout=0.2)
            took = time.perf_counter() - start
            measured_once.set()
    assert took < 30
    assert measured.kind == "local"


def test_an_answer_to_another_question_does_not_keep_ours_from_being_heard() -> None:
    """Such a response may come from the server's own address and port, delayed or forged."""

    class Haunted(UdpServer):
        def finish_request(self, request: Any, client_address: Any) -> None:
            data, connection = request
            for origin in (timestamp(time.time()), None):
                connection.sendto(
                    packet(data, shift=500.0 if origin else 0.0, origin=origin), client_address
                )

    with Haunted(lambda _: None) as server, serve(server):
        measured = measure_servers(server)
    assert measured.kind == "single"
    assert measured.offset.most < 10


def test_a_question_tells_nothing_and_is_another_each_time() -> None:
    questions: list[bytes] = []

    def listen(request: bytes) -> None:
        questions.append(request)

    with udp(listen) as server:
        # A busy machine may not even send a request in that time.
        wait_until(lambda: measure_servers(server, timeout=0.1) and len(questions) > 1)
    assert {question[:40] for question in questions} == {b"\x23" + bytes(39)}
    assert questions[0][40:] != questions[1][40:]


def test_a_server_that_says_stop_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with ntp(stratum=0, reference_id=b"RATE") as server:
        set_addresses(monkeypatch, "127.0.0.1", "127.1")
        measured = measure([server.name.replace("127.0.0.1", "ntp.test")], PATIENCE)
    assert "RATE" in measured.servers[0].trouble
    assert server.asked == 1


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),  # noqa: S104 - it is asked, not bound to
        ("::1", "::", True),
        ("2001:db8::1", "2001:0db8:0:0::1", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("::1", "127.0.0.1", False),
    ],
)
def test_an_address_is_one_in_all_its_forms(first: str, other: str, same: bool) -> None:
    assert (canonical_address(first) == canonical_address(other)) is same


def test_the_32_bits_of_ntp_s_seconds_began_anew_in_2036() -> None:
    march_2036 = 2_088_000_000.0
    data = bytearray(packet_at(march_2036 - 2**32, march_2036 - 2**32))
    for start in (16, 32, 40):  # reference, receive and transmit timestamps
        seconds = round(march_2036 + 2_208_988_800) % 2**32
        data[start : start + 8] = struct.pack("!II", seconds, 0)
    offset, _ = sntp.read(bytes(data), march_2036 - 3600, 0.01)
    assert offset == pytest.approx(3600, abs=0.1)


def test_a_kiss_says_nothing_to_the_terminal() -> None:
    with ntp(stratum=0, reference_id=b"\x1b[2J") as server:
        trouble = measure_servers(server).servers[0].trouble
    assert trouble == r"kiss of death (\x1b[2J)"


def test_a_server_that_answers_sooner_than_it_was_asked_has_a_bound_all_the_same() -> None:
    data = packet_at(1_795_348_800.0, 1_795_348_800.0012, root_delay=0, root_dispersion=0)
    assert sntp.read(data, 1_795_348_800.0, 0.0005).bound > 0


@pytest.mark.parametrize("dead", ["127.0.0.2", "2001:db8::1"])
def test_a_dead_address_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch, dead: str) -> None:
    with ntp(shift=2.0) as server:
        set_addresses(monkeypatch, dead, "127.0.0.1")
        measured = measure([server.name.replace("127.0.0.1", "ntp.test")], 4.0)
    assert measured.kind == "single"
    assert measured.offset.low <= 2 <= measured.offset.high


def test_after_nine_tenths_of_the_time_no_other_address_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, asked = 1000.0, []

    def ask(address: str, *_: object) -> sntp.Answer:
        nonlocal now
        asked.append(address)
        now += 9.0
        raise sntp.NtpError("no response in time")

    monkeypatch.setattr(reference, "steady_time", lambda: now)
    monkeypatch.setattr(sntp, "ask", ask)
    set_addresses(monkeypatch, "127.0.0.1", "127.0.0.2")
    measure(["ntp.test"], timeout=10.0)
    assert asked == ["127.0.0.1"]


def set_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """ntp.test has these addresses."""
    real = socket.getaddrinfo

    def lookup(host: str, port: int, *args: Any, **options: Any) -> Any:
        if host != "ntp.test":
            return real(host, port, *args, **options)
        return [
            (socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, port)) for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.mark.parametrize(
    "name", ["no.such.host.invalid", "host:port", "127.0.0.1:99999", "a..b", "[::1", "", "\0"]
)
def test_a_name_that_leads_nowhere_is_a_server_that_does_not_answer(name: str) -> None:
    measured = measure([name], timeout=0.2)
    assert measured.kind == "local"
    assert measured.servers[0].offset is None


def test_a_lookup_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    with ntp() as server:
        real = socket.getaddrinfo

        def hang(host: str, *args: Any, **options: Any) -> Any:
            if host == "slow.test":
                released.wait(PATIENCE)
            return real("127.0.0.1", *args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", hang)
        start, before = time.perf_counter(), set(threading.enumerate())
        measured = measure(["slow.test", server.name], timeout=2.0)
        assert all(thread.daemon for thread in set(threading.enumerate()) - before)
        took = time.perf_counter() - start
        released.set()
    assert took < 30
    assert measured.kind == "single"
    assert measured.servers[0].trouble == "no response in time"
    assert not measured.servers[0].denied


def test_three_that_agree() -> None:
    with clocks(0.0, 0.0, 0.0) as servers:
        measured = measure_servers(*servers)
    assert measured.kind == "ntp"
    assert measured.offset.low <= 0 <= measured.offset.high


@pytest.mark.parametrize("lie", [-500.0, 0.7, 3600.0])
def test_one_liar_of_three_is_outvoted(lie: float) -> None:
    with clocks(0.0, lie, 0.0) as servers:
        measured = measure_servers(*servers)
    assert measured.kind == "ntp"
    assert measured.offset.low <= 0 <= measured.offset.high
    assert measured.offset.most < 0.5


@pytest.mark.parametrize("shifts", [(0.0, 5.0), (0.0, 5.0, 10.0), (0.0, 0.0, 5.0, 5.0)])
def test_no_majority_is_no_reference(shifts: tuple[float, ...]) -> None:
    with clocks(*shifts) as servers:
        measured = measure_servers(*servers)
    assert measured.kind == "disagree"
    # Our own clock serves for hints at the cause alone.
    assert measured.offset == use_own_clock("local").offset


def test_a_server_that_is_named_twice_has_one_vote() -> None:
    """The server may also have several names with the same address."""
    with clocks(0.0, -3.0) as (honest, liar):
        assert measure_servers(honest, liar, liar).kind == "disagree"
        alias = liar.name.replace("127.0.0.1", "localhost")
        measured = measure([honest.name, liar.name, alias], PATIENCE)
    assert measured.kind == "disagree"
    assert measured.servers[2].trouble == f"the same server as {liar.name}"
    assert not measured.servers[2].denied


@pytest.mark.parametrize(
    ("kind", "offset", "is_outvoted"),
    [
        ("ntp", Interval(2.0, 3.0), True),
        ("ntp", Interval(1.0, 3.0), False),
        ("ntp", None, False),
        # Without a majority, nobody is outvoted.
        ("single", Interval(2.0, 3.0), False),
        ("disagree", Interval(2.0, 3.0), False),
        ("local", None, False),
    ],
)
def test_a_server_is_outvoted_if_it_shares_no_value_with_the_majority(
    kind: Kind, offset: Interval | None, is_outvoted: bool
) -> None:
    measured = Reference(kind, Interval(0.0, 1.0), 0.0, OwnClocks(0.0, 0.0))
    assert measured.is_outvoted(Server("ntp.test", offset)) is is_outvoted


def test_an_invalid_answer_has_no_vote() -> None:
    with clocks(0.0, 0.0, 5.0) as servers, ntp(shift=5.0, leap=3) as unsynchronised:
        measured = measure_servers(*servers, unsynchronised)
    assert measured.kind == "ntp"
    assert measured.offset.most < 1


def test_all_servers_together_get_a_second_and_a_half() -> None:
    assert TIMEOUT == 1.5


def test_our_own_clock_stands_in_with_a_declared_error() -> None:
    measured = combine(
        [Server("ntp.test", None, "no response in time")], at=0.0, own=OwnClocks(0.0, 0.0)
    )
    assert measured.kind == "local"
    assert measured.offset == Interval(-0.1, 0.1)
    assert measured.servers[0].name == "ntp.test"


def test_the_time_that_a_measurement_takes_widens_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bound grows by 50 ppm of the time that the measurement takes."""
    now = 1000.0

    def ask(*_: object) -> sntp.Answer:
        nonlocal now
        now += 100.0
        return sntp.Answer(0.0, 0.01)

    monkeypatch.setattr(reference, "steady_time", lambda: now)
    monkeypatch.setattr(sntp, "ask", ask)
    measured = measure(["127.0.0.1"], timeout=PATIENCE)
    assert measured.offset.half_width == pytest.approx(0.01 + 100.0 * 50e-6)


def test_the_default_servers_smear_a_leap_second_alike() -> None:
    alike = {"time.aws.com", *(f"time{number}.google.com" for number in range(1, 5))}
    assert set(SERVERS) <= alike
    assert len(SERVERS) >= 3


@pytest.mark.parametrize("wrong", [-7200.0, -1.5, 0.9, 1.5, 86_400.0])
@pytest.mark.parametrize(("error", "status"), [(0.0, "OK"), (0.8, "OK"), (-1.4, "Failed")])
def test_the_checkers_own_clock_cancels(
    monkeypatch: pytest.MonkeyPatch, wrong: float, error: float, status: str
) -> None:
    with web(time_service(error)) as server, clocks(0.0, 0.0, 0.0) as servers:
        names = [server.name for server in servers]
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + wrong)
        result = check(server.url, ask_reference=lambda patience: measure(names, patience))
    assert result.verdict.status == status, result.verdict.detail
    worst = result.verdict.worst
    assert worst is not None
    assert worst.error.low - 1e-5 <= error <= worst.error.high + 1e-5


def test_an_answer_during_which_our_own_clock_was_set_counts_as_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, shift = time.time, [0.0]

    def answer_and_set(request: bytes) -> bytes:
        shift[0] += 3600
        return packet(request)

    monkeypatch.setattr(time, "time", lambda: real() + shift[0])
    with udp(answer_and_set) as server:
        start = time.perf_counter()
        measured = measure_servers(server)
        took = time.perf_counter() - start
    assert measured.kind == "single"
    assert measured.offset.low <= 0 <= measured.offset.high
    # Half of the delay, and the server's own 1.5 ms.
    assert measured.offset.half_width < took / 2 + 0.002


def test_an_answer_during_which_this_machine_slept_has_no_vote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = itertools.chain([OwnClocks(0.0, 0.0)], itertools.repeat(OwnClocks(0.0, 60.0)))
    monkeypatch.setattr(reference, "read_clocks", lambda: next(states))
    with ntp() as server:
        measured = measure_servers(server)
    assert measured.servers[0].trouble == "this machine slept during the request"
