"""Requests of the rehearsals to the deployment that they share, and the responses."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import docker
import requests
from docker.models.containers import Container

from drills.clone import Clone
from drills.load import Request
from local import containers
from local.api import client
from local.project import DEPLOYMENT
from tests.support.waiting import PATIENCE, wait_until

# Each clone and process has its own name. So a rehearsal disturbs no other deployment, and finds
# the remains of an earlier run of its own.
PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "")
NAME = f"rehearsal-{containers.CLONE}{PROCESS}"
LABEL: Any = {"label": f"{containers.LABEL}={NAME}"}


def hosts(engine: docker.DockerClient) -> list[Container]:
    return list(
        engine.containers.list(filters={"label": [LABEL["label"], "timeservice.role=host"]})
    )


def run(host: Container, *command: str) -> tuple[int, str]:
    """Run a command on a host; return its status, and its output with its errors."""
    done = subprocess.run(
        ["docker", "exec", str(host.id), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode()


def aws(engine: docker.DockerClient, service: str) -> Any:
    """Return a client of the local cloud's API."""
    networks = engine.containers.get(f"{NAME}-api").attrs["NetworkSettings"]["Networks"]
    return client(f"http://{networks[f'{NAME}-edge']['IPAddress']}:4566", service)


def stacks(engine: docker.DockerClient) -> dict[str, str]:
    """Return each stack's name, without the deployment's, and its status. The deployer's is left
    out."""
    found = aws(engine, "cloudformation").describe_stacks()["Stacks"]
    return {
        stack["StackName"].removeprefix(f"{DEPLOYMENT}-"): stack["StackStatus"]
        for stack in found
        if stack["StackName"].startswith(f"{DEPLOYMENT}-")
    }


def kill_make(
    clone: Clone,
    target: str,
    at: str,
    until: Callable[[], object] = lambda: True,
    alone: bool = False,
) -> None:
    """Start a make, and kill -9 it when it has printed `at`, and `until` holds.

    alone: kill make itself, and not the processes that it has started.
    """
    running = clone.start(target)
    assert running.stdout
    said = ""
    while at not in said and (word := running.stdout.read(1)):
        said += word
    try:
        assert at in said
        wait_until(until)
    finally:
        (os.kill if alone else os.killpg)(running.pid, signal.SIGKILL)
        running.stdout.close()
        running.wait()
        print(said)


def versions(requests: list[Request]) -> set[str]:
    return {request.version for request in requests}


def release(clone: Clone) -> str:
    return str(requests.get(f"{clone.url}/now", timeout=PATIENCE).json()["version"])


def ask_until_each_host_responds(clone: Clone, engine: docker.DockerClient) -> list[Any]:
    """Return what /now responded until each host has; the balancer may take one out for a while."""
    expected = {host.labels["timeservice.instance"] for host in hosts(engine)}
    answers: list[Any] = []

    def is_complete() -> bool:
        answers.append(requests.get(f"{clone.url}/now", timeout=PATIENCE).json())
        return expected <= {answer["instance"] for answer in answers}

    wait_until(is_complete, lambda: f"not all of {expected} responded")
    assert {answer["instance"] for answer in answers} == expected
    return answers
