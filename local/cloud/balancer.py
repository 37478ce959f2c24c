"""HAProxy at run time: it is given its configuration, and hosts come and go without a new one."""

from __future__ import annotations

import csv
import io
import socket
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from local.cloud.balancer_config import RUN, SLOTS, configuration, fail_open
from local.cloud.cloud_api import Balancing

CONFIG = RUN / "haproxy.cfg"
APPLIED = RUN / "applied.cfg"  # the configuration that HAProxy runs with
MASTER = RUN / "master.sock"
ADMIN = RUN / "admin.sock"


class Server(NamedTuple):
    """A slot of HAProxy's that has a host's address."""

    slot: str
    address: str
    status: str  # HAProxy's own word: UP, DOWN, DRAIN, "DOWN 1/2" ...
    sessions: int
    draining: bool = False  # whatever its checks say

    @property
    def healthy(self) -> bool:
        return self.status.startswith("UP")

    @property
    def unhealthy(self) -> bool:
        return self.status.startswith("DOWN")


def apply(aws: Balancing, zones: Collection[str] = ("",)) -> bool:
    """Let HAProxy do what the API says; hosts that serve go on. Returns False while it has not started yet.

    A change waits for the requests of hosts that drain: with a new configuration, nobody would count them any more.
    Raises RuntimeError if HAProxy refuses; the next round tries again.
    """
    settings = configuration(aws, zones)
    if not CONFIG.exists():
        _write(CONFIG, settings)  # what HAProxy waits for
    if not MASTER.exists():
        return False
    if not APPLIED.exists() or APPLIED.read_text() != settings:
        present = servers().values()
        if any(one.draining and one.sessions for one in present):
            return True
        known = [one for one in present if not one.draining]
        hosts = {one.slot: one.address for one in known}
        healthy = [one.slot for one in known if one.healthy]
        _write(CONFIG, configuration(aws, zones, hosts, healthy))
        answer = _ask(MASTER, "reload")
        if "Success=1" not in answer:
            raise RuntimeError(f"HAProxy refuses its configuration: {answer.strip()}")
        _write(APPLIED, settings)
        for one in known:
            if one.unhealthy:
                _place(one.slot, one.address)
    return True


def _write(path: Path, text: str) -> None:
    """Whole, or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


def servers() -> dict[str, Server]:
    """The servers that have a host, by its address, as the checks see them."""
    table = csv.DictReader(io.StringIO(command("show stat").removeprefix("# ")))
    rows = {row["svname"]: row for row in table if row["pxname"] == "targets"}
    found = {}
    for slot in SLOTS:
        checked, unchecked = rows[slot], rows[fail_open(slot)]
        if checked["status"] != "MAINT":
            address = checked["addr"].rpartition(":")[0]
            sessions = int(checked["scur"]) + int(unchecked["scur"])
            # Of the one with checks this cannot be told: its status is DOWN as well when it fails them.
            draining = unchecked["status"] == "DRAIN"
            found[address] = Server(slot, address, checked["status"], sessions, draining)
    return found


def errors() -> dict[str, int]:
    """How many answers with a 5xx there were since HAProxy read its configuration, by CloudWatch's names for them."""
    rows = list(csv.DictReader(io.StringIO(command("show stat").removeprefix("# "))))

    def count(proxy: str, names: Collection[str]) -> int:
        found = [one for one in rows if one["pxname"] == proxy and one["svname"] in names]
        return sum(int(one["hrsp_5xx"] or 0) for one in found)

    hosts = count("targets", {*SLOTS, *map(fail_open, SLOTS)})
    everything = count("listener", {"FRONTEND"})
    return {"HTTPCode_Target_5XX_Count": hosts, "HTTPCode_ELB_5XX_Count": everything - hosts}


def register(address: str) -> None:
    """Give a free slot to a host. It starts unhealthy, and serves after its first passed checks."""
    taken = {server.slot for server in servers().values()}
    _place(next(slot for slot in SLOTS if slot not in taken), address)


def _place(slot: str, address: str) -> None:
    """It is drained until it is down: else it would be up, and asked, for a moment in between."""
    _set(slot, f"addr {address}", "state drain", "health down", "state ready")
    _set(fail_open(slot), f"addr {address}", "state ready")


def drain(server: Server) -> None:
    """It finishes what it has begun, and gets nothing new, not even when no other host is healthy."""
    _set(fail_open(server.slot), "state drain")
    _set(server.slot, "state drain")


def release(server: Server) -> None:
    _set(fail_open(server.slot), "state maint")
    _set(server.slot, "state maint")


def _set(name: str, *changes: str) -> None:
    command(";".join(f"set server targets/{name} {change}" for change in changes))


def command(text: str) -> str:
    return _ask(ADMIN, text)


def _ask(path: Path, text: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(text.encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
