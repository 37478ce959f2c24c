"""Sends a row as it stands, and says what is wrong with what came back."""

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
PATIENCE = 1.0  # seconds without a byte, after which an outcome is "open"
STATUS = re.compile(rb"HTTP/\d\.\d (\d{3}) ")
# Of a trace, of a version, of the header that an injected line would be.
LEAKS = re.compile(
    rb"Traceback|File \"|\.py\b|werkzeug|flask|haproxy|gunicorn/|python/?\d|debian|^set-cookie:",
    re.I | re.M,
)


class Played(NamedTuple):
    row: Row
    expected: str
    outcome: str
    faults: list[str]


def exchange(address: Address, sent: bytes) -> tuple[str, bytes]:
    """The outcome (row.py says which there are), and all bytes that came back."""
    got, ended = b"", False
    with socket.create_connection(address, timeout=10) as client:
        with contextlib.suppress(OSError):  # refused before it was all sent
            client.sendall(sent)
        client.settimeout(PATIENCE)
        try:
            while piece := client.recv(65536):
                if not got:  # no more will be asked: the server ends the connection when it has answered everything
                    with contextlib.suppress(OSError):
                        client.shutdown(socket.SHUT_WR)
                got += piece
            ended = True
        except TimeoutError:
            pass
        except OSError:
            ended = True
    statuses = " ".join(one.decode() for one in STATUS.findall(got))
    return statuses or ("closed" if ended else "open"), got


def play(row: Row, address: Address, balanced: bool) -> Played:
    expected = row.balanced if balanced else row.alone
    outcome, got = exchange(address, row.sent)
    faults = [] if outcome in expected.split("|") else [f"{outcome}, not {expected}: {got[:300]!r}"]
    if b"zq9" in got.lower() or b"ZQ9" in got:
        faults.append(f"comes back: {got!r}")
    if leak := LEAKS.search(got):
        faults.append(f"leaks {leak[0]!r}")
    if outcome == "closed" and got:
        faults.append(f"no HTTP: {got[:80]!r}")
    return Played(row, expected, outcome, faults + serving(address))


def serving(address: Address) -> list[str]:
    """Whether an honest client gets the time, and that of now."""
    outcome, got = exchange(address, get("/now?format=epoch", "Connection: close"))
    told = re.search(rb"\r\n\r\n([\d.]+)\n$", got)
    if outcome != "200" or not told or abs(float(told[1]) - time.time()) > 1:
        return [f"an honest request gets {outcome}: {got[-200:]!r}"]
    return []


def play_all(address: Address, balanced: bool, rows: Sequence[Row] = ROWS) -> list[Played]:
    """A few at a time, as most wait."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda row: play(row, address, balanced), rows))


def wrong(played: Sequence[Played]) -> str:
    """A line for each row that went wrong."""
    return "\n".join(f"{one.row.name}: {'; '.join(one.faults)}" for one in played if one.faults)


def poisoned(row: Row, address: Address) -> str:
    """What comes to others while this row's connection is open, on those that a balancer keeps to its hosts; "" if that
    is what they asked for."""
    with socket.create_connection(address, timeout=5) as attacker:
        attacker.sendall(row.sent)
        attacker.recv(65536)
        for zone, offset in {"Asia/Tokyo": b"+09:00\n", "Asia/Kathmandu": b"+05:45\n"}.items():
            outcome, got = exchange(address, get(f"/now?format=text&tz={zone}"))
            if outcome != "200" or not got.endswith(offset):
                return f"{row.name}: {outcome}, {got!r}"
    return ""
