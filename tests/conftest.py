"""Fixtures of several test files."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import deployment.release
from deployment.release import Archive

if TYPE_CHECKING:
    from docker import DockerClient

    from tests.cfn.permissions.emulator import Emulator

# A process in the background may ignore Ctrl-C, and the processes of the tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The same examples each time, without a deadline, so that no commit fails by chance.
settings.register_profile("unit", derandomize=True, max_examples=100, deadline=None, database=None)
settings.load_profile("unit")


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerClient]:
    """This machine's Docker engine, for rehearsals."""
    # Not at the top: other tests do not need it, and it takes a second.
    from local.containers import connect

    client = connect()
    yield client
    client.close()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An AWS API of its own, which enforces IAM."""
    from tests.cfn.permissions.emulator import Emulator  # not at the top: boto3 takes a second

    emulator = Emulator(tmp_path_factory.mktemp("emulator") / "log")
    yield emulator
    emulator.stop()


@pytest.fixture
def archives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Archives for the program, each with its kind as content, and a commit. Returns the digests
    of the archives, to be changed."""
    digests = {"image-x86_64": "1" * 12, "image-arm64": "4" * 12, "package": "2" * 12}
    for kind in digests:
        (tmp_path / kind).write_text(kind)
    monkeypatch.setattr(
        deployment.release, "archive", lambda kind: Archive(tmp_path / kind, digests[kind])
    )
    monkeypatch.setattr(deployment.release, "get_commit", lambda: "120001c0ffee+")
    return digests


def pytest_unconfigure(config: pytest.Config) -> None:
    """Delete what was compiled in temporary folders: those of the next run have other names."""
    if sys.pycache_prefix and not hasattr(config, "workerinput"):
        temporary = Path(sys.pycache_prefix, *Path(tempfile.gettempdir()).parts[1:])
        for folder in temporary.glob("pytest-of-*"):
            shutil.rmtree(folder)
