"""Fixtures of several test files."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import deployment.release
from deployment.release import Archive

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerClient]:
    """This machine's Docker engine, for rehearsals."""
    import docker  # not at the top: other tests do not need it, and it takes a second

    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def archives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Stand-ins for what make image and make package make; the digests in it may be changed."""
    digests = {"image": "1" * 12, "package": "2" * 12}
    file = tmp_path / "archive"
    file.write_bytes(b"")
    monkeypatch.setattr(
        deployment.release, "archive", lambda kind: Archive(file, digests[kind]), raising=True
    )
    return digests


def pytest_unconfigure(config: pytest.Config) -> None:
    """What was compiled in temporary folders is of no use to the next run, whose folders have other names."""
    if sys.pycache_prefix and not hasattr(config, "workerinput"):
        temporary = Path(sys.pycache_prefix, *Path(tempfile.gettempdir()).parts[1:])
        for folder in temporary.glob("pytest-of-*"):
            shutil.rmtree(folder)
