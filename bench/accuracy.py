"""How exact the healthcheck is: checks of a service with a known error, over known paths.

The checker's own clock is hours off, and one of its three NTP servers may be wrong or dead. Service
and NTP servers wait as long as the way there takes, read their clock, and wait for the way back. A
wait takes some 0.1 ms too long, so a path may be longer than stated, but never shorter.
"""

import contextlib
import http.server
import json
import math
import multiprocessing
import random
import socketserver
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, NamedTuple

import ntplib

from healthcheck import reference
from healthcheck.check import check
from healthcheck.verdict import LIMIT, Verdict


class Path(NamedTuple):
    """A path through the network; seconds.

    out, back: the least delay of each direction. jitter: what is added on average (exponential).
    loss: the probability that a packet is lost. ntp: the most that a way to an NTP server takes.
    """

    name: str
    out: float
    back: float
    jitter: float = 0.0
    loss: float = 0.0
    ntp: float = 0.001


PATHS = [
    Path("loopback", 0.0, 0.0),
    Path("LAN", 0.0005, 0.0005),
    Path("20/20", 0.020, 0.020),
    Path("50/50", 0.050, 0.050),
    Path("10/190", 0.010, 0.190),
    Path("190/10", 0.190, 0.010),
    Path("300/300", 0.300, 0.300),
    Path("20/20, NTP 0-30 each way", 0.020, 0.020, ntp=0.030),
    Path("20/20, jitter 30", 0.020, 0.020, jitter=0.030, ntp=0.010),
    Path("20/20, loss 2 %", 0.020, 0.020, loss=0.02, ntp=0.010),
    Path("50/50, loss 5 %", 0.050, 0.050, loss=0.05, ntp=0.010),
    Path("10/60, jitter 20, loss 3 %", 0.010, 0.060, jitter=0.020, loss=0.03, ntp=0.030),
]
TRIALS = 110  # on each path
AT_ONCE = 8  # trials; nearly all of a trial is waiting
ERRORS = (0.0, 0.3, 0.9, 0.97, 1.03, 1.1, 1.5, 5.0, 3600.0)  # many are near the limit of 1 s
FLOAT = 1e-6  # seconds: more than a float of today's seconds is rounded by
# Seconds until TCP sends a lost packet again: a connection's first one (RFC 6298), any (Linux).
FIRST_RETRANSMISSION, RETRANSMISSION = 1.0, 0.2
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Handler(socketserver.BaseRequestHandler):
    """A request that takes its path. server: its path, its clock's shift in seconds, its chance."""

    server: Any

    def is_lost(self) -> bool:
        return bool(self.server.chance.random() < self.server.path.loss)

    def wait(self, delay: float, timeout: float = 0.0) -> None:
        """Sleep for a delay and its jitter. timeout: until TCP sends a lost packet again."""
        path = self.server.path
        if timeout:
            timeout = max(timeout, path.out + path.back)
            while self.is_lost():
                delay += timeout
                timeout *= 2
        if path.jitter:
            delay += self.server.chance.expovariate(1 / path.jitter)
        time.sleep(delay)


class WebHandler(Handler, http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # so that headers and body leave together

    def setup(self) -> None:
        """Wait for the handshake, which the kernel has completed at once."""
        super().setup()
        self.wait(self.server.path.out, FIRST_RETRANSMISSION)
        self.wait(self.server.path.back, FIRST_RETRANSMISSION)

    def do_GET(self) -> None:
        self.wait(self.server.path.out, RETRANSMISSION)
        microseconds = time.time_ns() // 1_000
        instance, shift = self.find_host()
        now = EPOCH + timedelta(microseconds=microseconds, seconds=shift)
        body = json.dumps({"now": now.isoformat(timespec="microseconds"), "instance": instance})
        self.wait(self.server.path.back, RETRANSMISSION)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def find_host(self) -> tuple[str, float]:
        """Return the host that serves a request, and its clock's shift in seconds."""
        return "i-1", self.server.shift

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


class NtpHandler(Handler):
    def handle(self) -> None:
        request, connection = self.request
        if self.is_lost() or self.is_lost():
            return
        self.wait(self.server.path.out)
        now = ntplib.system_to_ntp_time(time.time() + self.server.shift)
        packet = ntplib.NTPPacket(version=4, mode=4, tx_timestamp=now)
        packet.stratum, packet.precision = 2, -20
        packet.root_delay = packet.root_dispersion = 0.0005  # those of a good server nearby
        packet.recv_timestamp, packet.ref_timestamp = now, now - 60
        data = packet.to_data()
        self.wait(self.server.path.back)
        # The client's transmit timestamp comes back as the origin, bit for bit.
        connection.sendto(data[:24] + request[40:48] + data[32:], self.client_address)


class WebServer(http.server.ThreadingHTTPServer):
    # Connections that wait to be accepted. With Python's 5, the kernel drops one of a check's
    # eight now and then, and sends it again after a second.
    request_queue_size = 128


@contextlib.contextmanager
def serve(handler: type[Handler], path: Path, shift: float, chance: random.Random) -> Iterator[str]:
    """Run a server while the context lasts, and give its address."""
    kind = socketserver.ThreadingUDPServer if handler is NtpHandler else WebServer
    server: Any = kind(("127.0.0.1", 0), handler)
    server.path, server.shift, server.chance = path, shift, chance
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # the checker may be gone
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Trial(NamedTuple):
    """A check's result. bound: of the error, in ms; without one, `is_inside` is False."""

    path: Path
    bound: float | None
    is_inside: bool
    outcome: str


def measure() -> bool:
    """Print a row for each path, and return whether every claim and every verdict is right."""
    todo = [(path, f"{path.name}: {number}") for path in PATHS for number in range(TRIALS)]
    random.Random(1).shuffle(todo)  # all paths then meet the same load of the machine
    # Processes, so that no check waits for another's Python.
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn")) as pool:
        return report(list(pool.map(run_trial, *zip(*todo, strict=True))))


def run_trial(path: Path, seed: str) -> Trial:
    """Check once. The seed decides everything but the scheduling of threads."""
    chance = random.Random(seed)
    error = chance.choice([-1, 1]) * chance.choice([*ERRORS, chance.uniform(0, 1.2)])
    own = chance.uniform(-12, 12) * 3600  # the checker's clock minus true time
    fault = chance.choice(["none", "none", "dead", "wrong"])
    wrong_by, loss = 0.0, path.loss
    # Where packets are lost, only the wrong server's response may arrive, and no check could
    # notice.
    if fault == "wrong" and not path.loss:
        wrong_by = chance.choice([-1, 1]) * 10 ** chance.uniform(-3, 4)
    if fault == "dead":
        loss = 1.0
    with contextlib.ExitStack() as running:
        names = []
        for shift, lost in ((wrong_by, loss), (0.0, path.loss), (0.0, path.loss)):
            out, back = chance.uniform(0, path.ntp), chance.uniform(0, path.ntp)
            way = Path("", out, back, path.jitter, lost)
            names.append(running.enter_context(serve(NtpHandler, way, shift - own, chance)))
        address = running.enter_context(serve(WebHandler, path, error - own, chance))
        result = check(
            f"http://{address}", ask_reference=lambda timeout: reference.measure(names, timeout)
        )
    outcome = judge_verdict(result.verdict, error, may_be_unknown=bool(path.loss))
    if result.verdict.status == "Unknown" or not result.verdict.worst:
        return Trial(path, None, False, outcome)
    claim = result.verdict.worst.error
    is_inside = claim.low - FLOAT <= error <= claim.high + FLOAT
    return Trial(path, claim.half_width * 1e3, is_inside, outcome)


def judge_verdict(verdict: Verdict, error: float, *, may_be_unknown: bool) -> str:
    """Return whether a verdict is right, wrong, undetermined, or unknown.

    error: the service's clock minus true time, in seconds.
    """
    if verdict.status == "Unknown":
        return "unknown" if may_be_unknown else "wrong"
    if verdict.reason == "undetermined" and verdict.worst:
        is_near = abs(abs(error) - LIMIT) <= 2 * verdict.worst.error.half_width
        return "undetermined" if is_near else "wrong"
    # Over a slow path there is no time to meet every host.
    expected = {"ok", "too_few"} if abs(error) <= LIMIT else {"clock_off"}
    return "right" if verdict.reason in expected else "wrong"


def report(trials: Sequence[Trial]) -> bool:
    """Print a row for each path; return whether every claim and every verdict is right."""
    print("\n| path, ms | trials | truth inside | wrong | undetermined | unknown |", end="")
    print(" median bound, ms | worst less RTT/2, ms |\n|---" + "|--:" * 7 + "|")
    claims = inside = wrong = 0
    for path in PATHS:
        mine = [trial for trial in trials if trial.path == path]
        bounds = [trial.bound for trial in mine if trial.bound is not None]
        right = sum(trial.is_inside for trial in mine)
        outcomes = [trial.outcome for trial in mine]
        counts = [outcomes.count(outcome) for outcome in ("wrong", "undetermined", "unknown")]
        worst = max(bounds, default=math.nan) - (path.out + path.back) / 2 * 1e3
        print(
            f"| {path.name} | {len(mine)} | {right} of {len(bounds)} | {counts[0]} | {counts[1]} "
            f"| {counts[2]} | {median(bounds or [math.nan]):.1f} | {worst:.1f} |"
        )
        claims, inside, wrong = claims + len(bounds), inside + right, wrong + counts[0]
    print(f"\nTruth inside the bound: {inside:,} of {claims:,}. Wrong verdicts: {wrong}.")
    return inside == claims > 0 and wrong == 0
