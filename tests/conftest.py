"""Fixtures of several test files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerClient]:
    """This machine's Docker engine, for rehearsals."""
    import docker  # not at the top: other tests do not need it, and it takes a second

    client = docker.from_env()
    yield client
    client.close()
