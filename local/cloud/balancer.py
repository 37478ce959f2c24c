"""HAProxy at run time: load a configuration, and let hosts come and go without loading it again."""

import csv
import io
import socket
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from local.cloud.balancer_config import RUN, configuration, fail_open
from local.cloud.cloud_api import Balancing

CONFIG = RUN / "haproxy.cfg"
# The configuration that HAProxy runs with.
APPLIED = RUN / "applied.cfg"
MASTER = RUN / "master.sock"
ADMIN = RUN / "admin.sock"


class Server(NamedTuple):
    """A slot of HAProxy that has a host's address.

    status: in HAProxy's words, such as UP, DOWN or "DOWN 1/2". draining: whether the slot drains,
    independent of `status`.
    """

    slot: str
    address: str
    status: str
    sessions: int
    draining: bool

    @property
    def healthy(self) -> bool:
        return self.status.startswith("UP")

    @property
    def unhealthy(self) -> bool:
        return self.status.startswith("DOWN")


def apply(aws: Balancing, zones: Collection[str], slots: int) -> bool:
    """Configure HAProxy like the load balancer; return False while HAProxy has not started.

    Serving hosts continue to serve. A change waits until draining hosts have no requests, because
    HAProxy would no longer count these. Raises RuntimeError if HAProxy refuses.
    """
    settings = configuration(aws, zones, slots)
    if not CONFIG.exists():
        # HAProxy waits for this file.
        write(CONFIG, settings)
    if not MASTER.exists():
        return False
    if APPLIED.exists() and APPLIED.read_text() == settings:
        return True
    present = list_servers().values()
    if any(server.draining and server.sessions for server in present):
        return True
    kept = [server for server in present if not server.draining]
    hosts = [server.address for server in kept]
    healthy = [server.address for server in kept if server.healthy]
    write(CONFIG, configuration(aws, zones, slots, hosts, healthy))
    response = _request(MASTER, "reload")
    if "Success=1" not in response:
        raise RuntimeError(f"HAProxy refuses its configuration: {response.strip()}")
    write(APPLIED, settings)
    for number, server in enumerate(kept, start=1):
        if server.unhealthy:
            _place(f"host{number}", server.address)
    return True


def write(path: Path, text: str) -> None:
    """Write the whole file or nothing."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


def list_servers() -> dict[str, Server]:
    """Return the servers that have a host, by address."""
    servers = {}
    for slot, (checked, unchecked) in _list_slots().items():
        if checked["status"] != "MAINT":
            address = checked["addr"].rpartition(":")[0]
            sessions = int(checked["scur"]) + int(unchecked["scur"])
            # The checked server's status is DOWN too when a draining host fails its checks.
            draining = unchecked["status"] == "DRAIN"
            servers[address] = Server(slot, address, checked["status"], sessions, draining)
    return servers


def count_errors() -> dict[str, int]:
    """Return the number of 5xx since HAProxy read its configuration, by CloudWatch's names."""
    rows = _list_statistics()

    def count(proxy: str, name: str) -> int:
        matches = [row for row in rows if row["pxname"] == proxy and row["svname"].startswith(name)]
        return sum(int(row["hrsp_5xx"]) for row in matches)

    hosts = count("targets", "host")
    everything = count("listener", "FRONTEND")
    return {"HTTPCode_Target_5XX_Count": hosts, "HTTPCode_ELB_5XX_Count": everything - hosts}


def _list_slots() -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Return the statistics of each slot's two servers: the checked one, and the other."""
    rows = {row["svname"]: row for row in _list_statistics() if row["pxname"] == "targets"}
    return {
        slot: (row, rows[fail_open(slot)]) for slot, row in rows.items() if fail_open(slot) in rows
    }


def _list_statistics() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_request(ADMIN, "show stat").removeprefix("# "))))


def register(address: str) -> None:
    """Give a free slot to a host, which is unhealthy until it has passed some checks."""
    free = [slot for slot, (row, _) in _list_slots().items() if row["status"] == "MAINT"]
    if not free:
        raise RuntimeError(f"the balancer has no place for the host at {address} yet")
    _place(free[0], address)


def _place(slot: str, address: str) -> None:
    # Without the drain, the server would be up for a moment, and get requests.
    _set(slot, f"addr {address}", "state drain", "health down", "state ready")
    _set(fail_open(slot), f"addr {address}", "state ready")


def drain(server: Server) -> None:
    """Let the host finish its requests, and give it no new ones, even if no other is healthy."""
    _set(fail_open(server.slot), "state drain")
    _set(server.slot, "state drain")


def free_slot(server: Server) -> None:
    _set(fail_open(server.slot), "state maint")
    _set(server.slot, "state maint")


def _set(name: str, *changes: str) -> None:
    _request(ADMIN, ";".join(f"set server targets/{name} {change}" for change in changes))


def _request(path: Path, text: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(text.encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
