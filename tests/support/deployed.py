"""The program deployed into an AWS API without hosts, for questions about it and for changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import deployment.release
from deployment.release import Archive
from local import program
from local.deployer import Deployer
from tests.cfn.permissions.emulator import Emulator
from tests.cfn.permissions.signals import hosts_signal


@contextmanager
def api(folder: Path) -> Iterator[str]:
    """Return its URL. The archives are small stand-ins, because their content does not matter."""
    emulator = Emulator(folder / "log")
    try:
        with archives(folder):
            with hosts_signal(emulator):
                program.run(Deployer(emulator.url), {"reviewer": "user"})
            yield emulator.url
    finally:
        emulator.stop()


@contextmanager
def archives(folder: Path, image: str = "1") -> Iterator[None]:
    """Make stand-ins for both archives. image: a digit; another digit makes a release."""
    archives = {
        kind: Archive(folder / kind, digit * 12)
        for kind, digit in (("image-x86_64", image), ("package", "2"))
    }
    for archive in archives.values():
        archive.path.write_bytes(b"of no use")
    with mock.patch.object(deployment.release, "archive", archives.__getitem__):
        yield
