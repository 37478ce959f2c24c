"""Drills of clients: too many at once, and clients that never finish a request."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from drills import outcome
from drills.load import AROUND, Request
from drills.trial import Trial, drill, repeat
from local.containers import read_stats

# Requests per second.
STEADY = 500.0
BURST = 5000.0
# Seconds.
STEADY_SECONDS, BURST_SECONDS, AFTER_SECONDS = 300, 10, 60
RECOVERY = 5.0
# Milliseconds of the 99th percentile at the steady rate.
LIMIT = 10.0

# Open connections to HOST whose handshake's last packet gets lost, so that the server waits for it.
HALF_OPEN = """
import socket, subprocess, time
rule = "OUTPUT -p tcp --dport 80 --tcp-flags SYN,ACK ACK -j DROP"
subprocess.run(["iptables", "-A", *rule.split()], check=True)
kept = [socket.create_connection(("HOST", 80), timeout=10) for _ in range(200)]
print(len(kept), "connections are half open", flush=True)
time.sleep(600)
"""


@drill("5 minutes at 500/s, 10 s at 5,000/s, and 500/s again")
def burst(trial: Trial) -> None:
    with trial.load(STEADY):
        began, cpu = time.time(), get_cpu_seconds(trial)
        time.sleep(STEADY_SECONDS)
        cpu = get_cpu_seconds(trial) - cpu
        with trial.load(BURST - STEADY) as additional:
            time.sleep(BURST_SECONDS - 2 * AROUND)
        time.sleep(AFTER_SECONDS)
        trial.wait_until_two_healthy()
    steady = outcome.between(trial.requests, began, began + STEADY_SECONDS)
    expect_fast(trial, steady, LIMIT, "at 500/s")
    each = 1e6 * cpu / len(steady)
    trial.notes.append(f"at 500/s: {each:.0f} µs of CPU for a request, with all else on the hosts")
    trial.fault_at, ended = additional[0].due, additional[-1].due
    during = outcome.between(trial.requests, trial.fault_at, ended)
    failed = len(outcome.failures(during))
    p50 = outcome.get_percentile(during, 50)
    trial.notes.append(f"of {len(during):,} in the burst {failed:,} failed, p50 {p50:.4f} s")
    after = outcome.between(trial.requests, ended + RECOVERY, ended + AFTER_SECONDS)
    expect_fast(trial, after, 2 * LIMIT, "from 5 s after the burst on")
    trial.expect_same_hosts()


def get_cpu_seconds(trial: Trial) -> float:
    """Return the CPU time that the hosts have used, in seconds."""
    stats = [read_stats(host) for host in trial.hosts()]
    used = sum(figures["cpu_stats"]["cpu_usage"]["total_usage"] for figures in stats)
    return float(used) / 1e9


def expect_fast(trial: Trial, requests: list[Request], limit: float, when: str) -> None:
    """Expect that no request fails, and that 99 of 100 take less than `limit` milliseconds."""
    failed = len(outcome.failures(requests))
    trial.expect(not failed, f"no request fails {when} ({failed} did)")
    p50, p99 = (1e3 * outcome.get_percentile(requests, percent) for percent in (50, 99))
    trial.notes.append(f"{when}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    trial.expect(p99 < limit, f"p99 below {limit:.0f} ms {when} ({p99:.1f} ms)")


@drill("1,000 idle connections, 500 slow ones (slowloris), 200 half-open ones")
def slow_clients(trial: Trial) -> None:
    address = ("127.0.0.1", trial.clone.port)
    half_open = HALF_OPEN.replace("HOST", trial.cloud.address("balancer"))
    slow = b"GET /now HTTP/1.1\r\nX-a: "
    with trial.load(), trial.fault(f"{trial.cloud.name}-edge", "-c", half_open) as attacker:
        with open_connections(address, 1000, b""), open_connections(address, 500, slow):
            time.sleep(90)
        output = attacker.logs().decode().strip()
    trial.expect(
        output == "200 connections are half open", f"200 connections are half open ({output})"
    )
    trial.expect_no_failure()
    trial.expect_same_hosts()
    trial.expect_never_short()


@contextmanager
def open_connections(address: tuple[str, int], count: int, beginning: bytes) -> Iterator[None]:
    """Keep `count` connections open during the block; one that the server closes is opened again.

    Each sends `beginning`, and then, if there is one, another byte each second.
    """
    sockets: list[socket.socket | None] = [None] * count

    def tend() -> None:
        for number, connection in enumerate(sockets):
            try:
                if connection is None:
                    connection = sockets[number] = socket.create_connection(address, timeout=5)
                    connection.sendall(beginning)
                elif beginning:
                    connection.sendall(b"a")
            except OSError:
                if connection:
                    connection.close()
                sockets[number] = None

    with repeat(tend, 1.0):
        yield
    for connection in sockets:
        if connection:
            connection.close()
