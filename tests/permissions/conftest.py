"""The emulator that tests of permissions share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.permissions.emulator import Emulator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("ministack") / "log")
    yield emulator
    emulator.stop()
