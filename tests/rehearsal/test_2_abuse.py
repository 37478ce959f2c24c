"""Malformed and hostile requests, sent to the deployment through its balancer."""

from __future__ import annotations

import csv
import io
import json
import re
import time

import docker
import pytest
from docker.models.containers import Container

from drills.clone import Clone
from tests.rehearsal.cloud import NAME, hosts, run
from tests.service.abuse.framing import SMUGGLING
from tests.service.abuse.wire import Address, find_poisoning, format_faults, send_rows

pytestmark = pytest.mark.rehearsal


def where(clone: Clone) -> Address:
    return "127.0.0.1", clone.port


def state(host: Container) -> tuple[str, str]:
    """Return the start of the service's container, and its processes."""
    started = run(host, "docker", "inspect", "--format", "{{.State.StartedAt}}", "timeservice")
    processes = run(host, "docker", "top", "timeservice", "-o", "pid")
    assert (started[0], processes[0]) == (0, 0)
    return started[1], processes[1]


def failed_checks(engine: docker.DockerClient) -> dict[str, str]:
    """Return the number of failed health checks of each server, from HAProxy."""
    ask = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/balancer/admin.sock'); "
        "s.sendall(b'show stat\\n'); print(b''.join(iter(lambda: s.recv(65536), b'')).decode())"
    )
    status, table = run(engine.containers.get(f"{NAME}-balancer"), "python3", "-c", ask)
    assert status == 0, table
    rows = csv.DictReader(io.StringIO(table.removeprefix("# ")))
    return {
        row["svname"]: row["chkfail"]
        for row in rows
        if row["pxname"] == "targets" and row["chkfail"]
    }


def test_every_abuse_gets_the_answer_that_it_shall_and_no_host_notices(
    clone: Clone, engine: docker.DockerClient
) -> None:
    before = {host.id: state(host) for host in hosts(engine)}
    checks, since = failed_checks(engine), str(int(time.time()) - 1)
    results = send_rows(where(clone), balanced=True)
    assert format_faults(results) == ""
    assert [
        exchange.row.name for exchange in results if re.search(r"\b5\d\d", exchange.outcome)
    ] == []
    assert {host.id: state(host) for host in hosts(engine)} == before
    assert len(before) == 2
    time.sleep(6)  # a round of health checks
    assert failed_checks(engine) == checks
    assert len(checks) >= 2
    logged = [
        line
        for host in hosts(engine)
        for line in run(host, "docker", "logs", "--since", since, "timeservice")[1].splitlines()
    ]
    assert logged
    assert {json.loads(line)["message"] for line in logged} == {"refused a request"}


def test_a_smuggled_request_never_answers_somebody_else(clone: Clone) -> None:
    assert [trouble for row in SMUGGLING if (trouble := find_poisoning(row, where(clone)))] == []
