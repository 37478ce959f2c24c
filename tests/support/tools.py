"""Find the tools that scripts/tools.sh has fetched for tests, or that the machine has."""

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


def find_file(package: str, pattern: str, script: str = "scripts/tools.sh unit") -> Path:
    """Return the file of a Debian package that the script unpacks."""
    for path in (DEBIAN / package).glob(pattern):
        return path
    fail_without(f"{pattern} of Debian's {package} in build/debian", script)


def systemd_analyze() -> list[str]:
    """Return the command that runs systemd-analyze."""
    if not RUNTIME.is_dir():
        fail_without(f"{RUNTIME}, which systemd-analyze needs")
    if own := shutil.which("systemd-analyze"):
        return [own]
    return _add_libraries(find_file("systemd", "usr/bin/systemd-analyze"))


def haproxy() -> list[str]:
    """Return the command that runs HAProxy."""
    return _add_libraries(find_file("haproxy", "usr/sbin/haproxy"))


def _add_libraries(command: Path) -> list[str]:
    return ["env", f"LD_LIBRARY_PATH={libraries()}", str(command)]


def libraries() -> str:
    """Return the library folders of all unpacked packages, for LD_LIBRARY_PATH."""
    folders = [str(path) for pattern in LIBRARIES for path in DEBIAN.glob(f"*/{pattern}")]
    return ":".join(folders)


def fail_without(what: str, script: str = "scripts/tools.sh unit") -> NoReturn:
    pytest.fail(f"there is no {what}: run {script}", pytrace=False)
