"""Sends a row of the table as it is, and finds what is wrong with the responses."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.service.abuse import framing, meaning
from tests.service.abuse.row import Row, get

ROWS = [
    *(framing.SMUGGLING + framing.HEADS + framing.SIZES),
    *(meaning.PATHS + meaning.HOSTS + meaning.METHODS + meaning.VERSIONS),
    *(meaning.PARAMETERS + meaning.PROTOCOLS),
]
Address = tuple[str, int]
# Seconds without a byte, after which an outcome is "open": few if that is right, else many, so that
# a busy machine does not change an outcome.
OPEN_AFTER = 1.0
TIMEOUT = 120.0
STATUS = re.compile(rb"HTTP/\d\.\d (\d{3}) ")
INTERIM = re.compile(rb"(HTTP/1\.1 1\d\d (.*\r\n)+\r\n)*")
# Signs of a traceback, of a software's name or version, or of an injected header.
LEAKS = re.compile(
    rb"Traceback|File \"|\.py\b|werkzeug|flask|haproxy|gunicorn/|python/?\d|debian|^set-cookie:",
    re.I | re.M,
)


class Result(NamedTuple):
    row: Row
    expected: str
    outcome: str
    faults: list[str]


def exchange(address: Address, sent: bytes, timeout: float = TIMEOUT) -> tuple[str, bytes]:
    """Send these bytes; return the outcome (row.py lists them), and all bytes that came back."""
    received, ended = b"", False
    with socket.create_connection(address, timeout=TIMEOUT) as client:
        # The server may refuse the request before all of it is sent.
        with contextlib.suppress(OSError):
            client.sendall(sent)
        client.settimeout(timeout)
        try:
            while piece := client.recv(65536):
                received += piece
                # After this, the server closes the connection when it has responded to everything.
                # Before its final response, it may take this for a client that has gone.
                if not INTERIM.fullmatch(received):
                    with contextlib.suppress(OSError):
                        client.shutdown(socket.SHUT_WR)
            ended = True
        except TimeoutError:
            pass
        except OSError:
            ended = True
    statuses = " ".join(status.decode() for status in STATUS.findall(received))
    return statuses or ("closed" if ended else "open"), received


def send_row(row: Row, address: Address, balanced: bool) -> Result:
    expected = row.balanced if balanced else row.alone
    outcomes = expected.split("|")
    timeout = OPEN_AFTER if "open" in outcomes else TIMEOUT
    outcome, received = exchange(address, row.sent, timeout)
    faults = []
    if outcome not in outcomes:
        faults.append(f"{outcome}, not {expected}: {received[:300]!r}")
    if b"zq9" in received.lower():
        faults.append(f"comes back: {received!r}")
    if leak := LEAKS.search(received):
        faults.append(f"leaks {leak[0]!r}")
    if outcome == "closed" and received:
        faults.append(f"no HTTP: {received[:80]!r}")
    return Result(row, expected, outcome, faults + find_faults(address))


def find_faults(address: Address) -> list[str]:
    """Return what is wrong with the response to a good request: it must have the present time."""
    before = time.time()
    outcome, received = exchange(address, get("/now?format=epoch", "Connection: close"))
    after = time.time()
    stated = re.search(rb"\r\n\r\n([\d.]+)\n$", received)
    if outcome != "200" or not stated or not before - 1 < float(stated[1]) < after + 1:
        return [f"an honest request gets {outcome}: {received[-200:]!r}"]
    return []


def send_rows(address: Address, balanced: bool, rows: Sequence[Row] = ROWS) -> list[Result]:
    """Send the rows, a few at a time, because most wait."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda row: send_row(row, address, balanced), rows))


def format_faults(results: Sequence[Result]) -> str:
    """Return a line for each row with a fault."""
    faulty = [result for result in results if result.faults]
    return "\n".join(f"{result.row.name}: {'; '.join(result.faults)}" for result in faulty)


def find_poisoning(row: Row, address: Address) -> str:
    """Return what other clients get while this row's connection is open, if it is not theirs.

    A balancer shares its connections to the hosts between clients, so a smuggled request could take
    the response of another client. "" is the good case.
    """
    with socket.create_connection(address, timeout=TIMEOUT) as attacker:
        attacker.sendall(row.sent)
        attacker.recv(65536)
        for zone, offset in {"Asia/Tokyo": b"+09:00\n", "Asia/Kathmandu": b"+05:45\n"}.items():
            outcome, received = exchange(address, get(f"/now?format=text&tz={zone}"))
            if outcome != "200" or not received.endswith(offset):
                return f"{row.name}: {outcome}, {received!r}"
    return ""
