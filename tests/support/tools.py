"""What scripts/tools.sh has fetched for tests, or the machine has."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NoReturn

import pytest

DEBIAN = Path(__file__).parents[2] / "build" / "debian"
RUNTIME = Path("/run/systemd")
LIBRARIES = (
    "usr/lib/*-linux-gnu",
    "lib/*-linux-gnu",
    "usr/lib/*-linux-gnu/systemd",
    "usr/lib/*-linux-gnu/pulseaudio",
)


def unpacked(package: str, pattern: str, script: str = "scripts/tools.sh unit") -> Path:
    """The file of that package, which that script unpacks."""
    for path in (DEBIAN / package).glob(pattern):
        return path
    missing(f"{pattern} of Debian's {package} in build/debian", script)


def systemd_analyze() -> list[str]:
    """The command."""
    if not RUNTIME.is_dir():
        missing(f"{RUNTIME}, which systemd-analyze needs")
    if own := shutil.which("systemd-analyze"):
        return [own]
    return _with_libraries(unpacked("systemd", "usr/bin/systemd-analyze"))


def haproxy() -> list[str]:
    """The command."""
    return _with_libraries(unpacked("haproxy", "usr/sbin/haproxy"))


def _with_libraries(command: Path) -> list[str]:
    return ["env", f"LD_LIBRARY_PATH={libraries()}", str(command)]


def libraries() -> str:
    """The folders of all that is unpacked, for LD_LIBRARY_PATH."""
    folders = [str(path) for pattern in LIBRARIES for path in DEBIAN.glob(f"*/{pattern}")]
    return ":".join(folders)


def missing(what: str, script: str = "scripts/tools.sh unit") -> NoReturn:
    pytest.fail(f"there is no {what}: run {script}", pytrace=False)
