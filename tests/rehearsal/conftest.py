"""One deployment for all rehearsals: the files are played in the order of their names, from up to
down."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from drills.clone import Clone
from local.containers import Containers
from tests.rehearsal.cloud import NAME


@pytest.fixture(scope="session")
def said() -> list[str]:
    """What each make of the rehearsal printed, in their order."""
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


@pytest.fixture(autouse=True)
def print_logs_after_a_failure(clone: Clone, request: pytest.FixtureRequest) -> Iterator[None]:
    """What the containers said, when a test fails."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        clone.make("logs")
