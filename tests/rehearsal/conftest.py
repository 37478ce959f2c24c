"""The rehearsal mostly waits, so its files run side by side in four groups.

The number in a file's name is that of its group. Each group has a process with a clone and a
deployment of its own, and runs in the order of the names. In a single process, all files share one
deployment.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from drills.clone import Clone
from local.containers import Containers
from tests.rehearsal.cloud import NAME

# The files that change a deployment, use it, break it, and remove it.
GROUPS = ("13", "2", "4", "89")
# These files deploy by themselves.
FIRST = ("test_1_up.py", "test_8_tutorial.py")


def find_group(path: str) -> str:
    number = Path(path).name.removeprefix("test_")[0]
    return next(group for group in GROUPS if number in group)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Send each group to a process."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = lambda test: find_group(test.partition("::")[0])
    return scheduler


@pytest.fixture(scope="session")
def said() -> list[str]:
    """Keep what each make of the rehearsal printed, in order."""
    return []


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> Iterator[Clone]:
    def log(output: str) -> None:
        said.append(output)
        print(output)

    clone = Clone(tmp_path_factory.mktemp("rehearsal") / "clone", NAME, log=log)
    Containers(NAME).remove()  # what a rehearsal that was killed has left
    try:
        yield clone
    finally:
        clone.make("down")
        shutil.rmtree(clone.folder)


@pytest.fixture(scope="session")
def deployment(clone: Clone) -> None:
    """Deploy the clone, unless a test before did."""
    if not Containers(NAME).get_running("balancer"):
        assert clone.make("up").status == 0


@pytest.fixture(scope="module", autouse=True)
def deploy_first(request: pytest.FixtureRequest) -> None:
    """Let tests find a deployment that is up."""
    if request.path.name not in FIRST:
        request.getfixturevalue("deployment")


@pytest.fixture(autouse=True)
def print_logs_after_a_failure(clone: Clone, request: pytest.FixtureRequest) -> Iterator[None]:
    """Print the containers' logs when a test fails."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        clone.make("logs")
