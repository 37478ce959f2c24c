"""The tutorial's commands work in their order, and print what it shows."""

from __future__ import annotations

import subprocess

import docker
import pytest

from drills.clone import Clone
from tests.rehearsal.cloud import hosts
from tests.rehearsal.documents import expect_output, start
from tests.support.documented import ROOT, Command, list_commands
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rehearsal

TUTORIAL = list_commands(ROOT / "docs/tutorial.md")


@pytest.fixture(scope="module", autouse=True)
def repository(clone: Clone) -> None:
    """Begin with nothing deployed, in a repository from which git restores a file."""
    assert clone.make("down").status == 0
    for command in ("init --quiet", "add --all", "-c user.name=a -c user.email=a@b commit -qm 1"):
        subprocess.run(["git", *command.split()], cwd=clone.folder, check=True)


def has_recovered(clone: Clone, engine: docker.DockerClient) -> bool:
    return len(hosts(engine)) == 2 and clone.make("status").output.count("  healthy  ") == 2


@pytest.mark.parametrize("command", TUTORIAL, ids=lambda command: command.id)
def test_a_step_works_and_prints_what_stands_there(
    clone: Clone, engine: docker.DockerClient, command: Command
) -> None:
    running = start(command.text, clone)
    output, _ = running.communicate(timeout=600)
    assert running.returncode == 0, output
    expect_output(command.output, output)
    if command.text.startswith("docker kill"):
        # The tutorial asks its reader to wait for this.
        wait_until(lambda: has_recovered(clone, engine))
