"""One NTP request: which responses may be used, and what they are worth. Times are in seconds."""

from __future__ import annotations

import inspect
import socket
import struct
import threading
import time
from typing import Any

import ntplib
import pytest

import sntp
from tests.support.healthcheck_servers import (
    UdpServer,
    ntp,
    packet,
    packet_at,
    serve,
    timestamp,
    udp,
)
from tests.support.waiting import PATIENCE

NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z


def read(
    received: float = NOON + 0.02, sent: float = NOON + 0.03, elapsed: float = 0.05, **fields: Any
) -> sntp.Answer:
    """Read a response to a request of noon: 20 ms there, 10 ms in the server, 20 ms back."""
    return sntp.read(packet_at(received, sent, **fields), NOON, elapsed)


def test_the_offset_is_the_mean_of_both_ways_and_the_bound_is_the_root_distance() -> None:
    answer = read(
        NOON + 3.02,
        NOON + 3.03,
        root_delay=0.0625,
        root_dispersion=0.03125,
        precision=-8,
    )
    assert answer.offset == pytest.approx(3.0, abs=1e-5)
    # (delay + root delay) / 2 + root dispersion + precision
    assert answer.bound == pytest.approx((0.04 + 0.0625) / 2 + 0.03125 + 2**-8, abs=1e-5)


def test_a_negative_delay_does_not_make_the_bound_smaller() -> None:
    answer = read(NOON, NOON + 0.0505, root_delay=0.0, root_dispersion=0.25, precision=-20)
    assert answer.bound == pytest.approx(0.25 + 2**-20, abs=1e-7)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"mode": 3}, "^mode 3 is not a server's$"),
        ({"mode": 5}, "^mode 5 is not a server's$"),
        ({"version": 2}, "^version 2 is not supported$"),
        ({"version": 5}, "^version 5 is not supported$"),
        ({"stratum": 16}, "^stratum 16: the server is not synchronised$"),
        ({"leap": 3}, "^leap indicator 3: the server is not synchronised$"),
        ({"received": 0}, "^timestamps are missing or out of order$"),
        ({"received": 0, "sent": 0, "reference_age": 0}, "^timestamps are missing"),
        ({"received": NOON + 0.04}, "^timestamps are missing or out of order$"),
        ({"sent": NOON + 0.075}, "^a delay of -0.005 s is impossible$"),
        ({"root_dispersion": 0.5}, r"^root distance 0.5\d\d s is too large$"),
        ({"root_delay": 1.0}, r"^root distance 0.5\d\d s is too large$"),
        ({"precision": -1}, r"^root distance 0.5\d\d s is too large$"),
        ({"reference_age": NOON + 0.03}, "^the server does not state when it was last set$"),
        ({"reference_age": 36 * 3600 + 1}, "^the server was last set too long ago$"),
        ({"reference_age": -1.1}, "^the server was last set too long ago$"),
    ],
    ids=str,
)
def test_a_response_that_breaks_a_rule_is_invalid_with_the_reason(
    fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(sntp.NtpError, match=complaint) as refused:
        read(**fields)
    assert type(refused.value) is sntp.NtpError


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 3},
        {"version": 4},
        {"stratum": 1},
        {"stratum": 15},
        {"leap": 1},
        {"leap": 2},
        {"received": NOON + 0.03},
        {"sent": NOON + 0.0705},
        {"root_dispersion": 0.47},
        {"reference_age": 36 * 3600},
        {"received": NOON + 0.015625, "sent": NOON + 0.03125, "reference_age": -1.0},
        {"elapsed": 0.0095},
    ],
    ids=str,
)
def test_a_response_at_the_edge_of_a_rule_may_be_used(fields: dict[str, Any]) -> None:
    assert read(**fields).bound <= 0.5


def test_the_largest_root_distance_is_half_a_second_and_may_be_used() -> None:
    stats = ntplib.NTPStats()
    stats.from_data(packet_at(NOON, NOON, root_delay=0.5, root_dispersion=0.1875, precision=-4))
    stats.orig_timestamp = stats.dest_timestamp = stats.recv_timestamp
    assert sntp.root_distance(stats) == 0.5
    sntp.validate(stats)
    stats.root_dispersion += 2**-16
    with pytest.raises(sntp.NtpError, match="root distance"):
        sntp.validate(stats)


def test_a_delay_of_exactly_a_negative_millisecond_may_be_used() -> None:
    """The server's clock and ours are read one after the other."""
    stats = ntplib.NTPStats()
    stats.from_data(packet_at(NOON, NOON))
    stats.orig_timestamp = stats.dest_timestamp = 0.0
    stats.ref_timestamp, stats.recv_timestamp, stats.tx_timestamp = 0.001, 0.001, 0.002
    assert stats.delay == -0.001
    sntp.validate(stats)


@pytest.mark.parametrize("length", [0, 1, 20, 40, 47])
def test_a_cut_packet_is_invalid_and_no_kiss_of_death(length: int) -> None:
    """A client sends no more requests to a server after a kiss of death."""
    data = packet_at(NOON + 0.02, NOON + 0.03)[:length]
    with pytest.raises(sntp.NtpError, match=f"^{length} bytes are not an NTP packet$") as refused:
        sntp.read(data, NOON, 0.05)
    assert type(refused.value) is sntp.NtpError


def test_what_follows_a_packet_is_ignored() -> None:
    """Extension fields and authentication codes may follow."""
    data = packet_at(NOON + 0.02, NOON + 0.03)
    assert sntp.read(data + bytes(20), NOON, 0.05) == sntp.read(data, NOON, 0.05)


@pytest.mark.parametrize(
    ("code", "text"),
    [(b"RATE", "RATE"), (b"AB\0\0", "AB"), (b"\x1b[2J", r"\x1b[2J"), (b"\xff\xfe\0'", "??")],
    ids=str,
)
def test_a_kiss_of_death_has_its_code_in_plain_characters(code: bytes, text: str) -> None:
    with pytest.raises(sntp.KissOfDeath) as refused:
        read(stratum=0, reference_id=code)
    if text != "??":
        assert str(refused.value) == f"kiss of death ({text})"
    assert str(refused.value).isascii()
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(1_577_836_800.0, id="2020 begins"),
        pytest.param(2_085_978_495.0, id="the last second before they begin again"),
        pytest.param(2_085_978_496.5, id="half a second after they began again"),
        pytest.param(2_114_380_800.0, id="2037"),
        pytest.param(1_577_836_799.0 + 2**32, id="2156"),
    ],
)
def test_the_32_bits_of_ntp_s_seconds_reach_from_2020_beyond_2036(moment: float) -> None:
    """The 32 bits begin again on 7 February 2036, at 06:28:16."""
    seconds, fraction = divmod(round((moment + 2_208_988_800) * 2**32) % 2**64, 2**32)
    data = bytearray(packet_at(NOON, NOON, reference_age=0.0))
    for start in (16, 32, 40):  # reference, receive and transmit timestamps
        data[start : start + 8] = struct.pack("!II", seconds, fraction)
    answer = sntp.read(bytes(data), moment - 3600, 0.01)
    assert answer.offset == pytest.approx(3600, abs=0.1)


class Clock:
    """A clock that counts its readings."""

    def __init__(self) -> None:
        self.readings = 0

    def __call__(self) -> float:
        self.readings += 1
        return time.time_ns() / 1e9 - 100.0


def test_the_offset_is_to_the_clock_that_is_given() -> None:
    clock = Clock()
    with ntp() as server:
        answer = sntp.ask("127.0.0.1", server.server_address[1], PATIENCE, clock)
    assert clock.readings == 1
    assert abs(answer.offset - 100.0) <= answer.bound
    assert 0 < answer.bound < 1


def forge(request: bytes) -> bytes:
    """A good response to another request."""
    return packet(request, origin=timestamp(time.time()))


def test_nothing_but_forgeries_until_the_time_out_is_a_wrong_origin() -> None:
    with (
        udp(forge) as server,
        pytest.raises(sntp.NtpError, match=r"\(wrong origin\)") as refused,
    ):
        sntp.ask("127.0.0.1", server.server_address[1], 2.0)
    assert type(refused.value) is sntp.NtpError


def test_a_flood_of_forgeries_ends_at_the_time_out() -> None:
    ended, flood_over = threading.Event(), threading.Event()

    class Flood(UdpServer):
        def finish_request(self, request: Any, client_address: Any) -> None:
            data, connection = request
            end = time.monotonic() + PATIENCE
            while not ended.is_set() and time.monotonic() < end:
                connection.sendto(forge(data), client_address)
            flood_over.set()

    with Flood(lambda _: None) as server, serve(server):
        with pytest.raises(sntp.NtpError, match="wrong origin"):
            sntp.ask("127.0.0.1", server.server_address[1], 2.0)
        assert not flood_over.is_set()
        ended.set()


def test_without_another_time_out_it_takes_two_seconds_and_this_machine_s_clock() -> None:
    parameters = inspect.signature(sntp.ask).parameters
    assert (parameters["timeout"].default, parameters["clock"].default) == (2.0, time.time)


def test_the_first_address_of_a_name_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with ntp() as server:
        port = server.server_address[1]
        addresses = [
            (socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, port))
            for address in ("127.0.0.1", "127.0.0.2")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        assert sntp.ask("ntp.test", port, PATIENCE).bound > 0


@pytest.mark.parametrize(("error", "text"), [(OSError(), "OSError"), (OSError("no way"), "no way")])
def test_trouble_of_the_network_is_no_answer_and_has_a_reason(
    monkeypatch: pytest.MonkeyPatch, error: OSError, text: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(sntp.NtpError, match=f"^{text}$"):
        sntp.ask("ntp.test")


def test_silence_is_no_answer_in_time_and_takes_no_longer() -> None:
    with udp(lambda _: None) as server:
        start = time.monotonic()
        with pytest.raises(sntp.NtpError, match=r"^no response in time$"):
            sntp.ask("127.0.0.1", server.server_address[1], 0.2)
        assert time.monotonic() - start >= 0.19


def test_a_packet_that_is_cut_before_its_origin_is_no_answer() -> None:
    with (
        udp(lambda request: packet(request)[:20]) as server,
        pytest.raises(sntp.NtpError, match="wrong origin"),
    ):
        sntp.ask("127.0.0.1", server.server_address[1], 2.0)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "x" * 64 + ".org", "\0"])
def test_a_name_that_does_not_resolve_is_no_answer_and_has_a_reason(host: str) -> None:
    with pytest.raises(sntp.NtpError) as refused:
        sntp.ask(host, timeout=0.2)
    assert str(refused.value)


def test_a_request_is_version_4_from_a_client_and_the_port_is_123(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[bytes] = []
    real, ports = socket.getaddrinfo, []

    def lookup(host: str, port: int, **options: Any) -> Any:
        ports.append(port)
        return real(host, server.server_address[1], **options)

    def listen(request: bytes) -> bytes:
        requests.append(request)
        return packet(request)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with udp(listen) as server:
        sntp.ask("127.0.0.1")
        sntp.ask("127.0.0.1")
    assert ports == [123, 123]
    assert {request[:40] for request in requests} == {b"\x23" + bytes(39)}
    nonces = {request[40:] for request in requests}
    assert len(nonces) == 2
    assert {len(nonce) for nonce in nonces} == {8}


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("time.aws.com", ("time.aws.com", 123)),
        ("time.aws.com:1", ("time.aws.com", 1)),
        ("time.aws.com:65535", ("time.aws.com", 65535)),
        ("169.254.169.123", ("169.254.169.123", 123)),
        ("127.0.0.1:4123", ("127.0.0.1", 4123)),
        ("[2001:db8::1]:4123", ("2001:db8::1", 4123)),
        ("[::1]", ("::1", 123)),
        ("2001:db8::1", ("2001:db8::1", 123)),
        ("::1", ("::1", 123)),
        ("fe80::1%eth0", ("fe80::1%eth0", 123)),
        ("bücher.example", ("bücher.example", 123)),
    ],
)
def test_a_server_is_a_host_and_perhaps_a_port(server: str, address: tuple[str, int]) -> None:
    assert sntp.split(server) == address


@pytest.mark.parametrize(
    "server",
    [
        "",
        ":",
        ":123",
        "a:b:c",
        "host:port",
        "host:0",
        "host:65536",
        "host:-1",
        "host:123456",
        "host:٣",
        "host: 1",
        "[::1",
        "[::1]123",
        "[::1]:port",
        "[]:123",
        "2001:db8::1::",
        "a b",
        "a b:123",
        "[a b]",
        "[host]:123",
        "\n",
        "\0",
        "host:",
        "host/",
        "::1:z",
    ],
)
def test_what_is_no_server_is_refused_with_an_example(server: str) -> None:
    with pytest.raises(ValueError, match=r"is not a server such as .*\[2001:db8::1\]:123$") as no:
        sntp.split(server)
    assert str(no.value).startswith(ascii(server))
