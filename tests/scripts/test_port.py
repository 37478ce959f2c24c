"""A port that cannot be used is refused before anything is built."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.scripts.conftest import Run
from tests.scripts.test_makefile import make


@pytest.fixture
def busy() -> Iterator[str]:
    """A port on which another program listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield str(taken.getsockname()[1])


def test_a_busy_port_is_refused_with_the_way_out(busy: str, run: Run) -> None:
    done = run("scripts/port.sh", environment={"PORT": busy}, docker="exit 1")
    assert done.returncode == 1
    assert f"error: another program uses port {busy}" in done.stderr
    assert "choose another: PORT=" in done.stderr


def test_the_port_that_a_deployment_had_is_refused_too(busy: str, run: Run) -> None:
    """The deployment's balancer does not run, and another program took the port meanwhile."""
    done = run("scripts/port.sh", docker=f"echo {busy} false")
    assert f"another program uses port {busy}" in done.stderr


def test_the_port_of_a_deployment_that_is_up_is_its_own(busy: str, run: Run) -> None:
    docker = f'[ "$3" = second-balancer ] && echo {busy} true'
    for environment in ({"NAME": "second"}, {"NAME": "second", "PORT": busy}):
        done = run("scripts/port.sh", environment=environment, docker=docker)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_free_port_is_taken(busy: str, run: Run) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = run("scripts/port.sh", environment={"PORT": port}, docker="exit 1")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_port_is_looked_at_before_anything_is_built() -> None:
    commands = make("--dry-run", "up").split()
    assert commands.index("scripts/port.sh") < commands.index("scripts/build.sh")
