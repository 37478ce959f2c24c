"""A clone with scripts alone, on a machine that has few commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
# The variables of make that programs read. DRILLS are their arguments.
(VARIABLES,) = re.findall(
    r"^export (NAME .*) DRILLS$", (ROOT / "Makefile").read_text(), re.MULTILINE
)
# The commands that the scripts may use. They find no others.
TOOLS = [
    "awk",
    "bash",
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "df",
    "dirname",
    "env",
    "find",
    "flock",
    "grep",
    "gzip",
    "head",
    "id",
    "ln",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sha256sum",
    "sed",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tar",
    "tr",
    "true",
    "touch",
    "wc",
    "xargs",
]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with the scripts alone, at a path with a space."""
    shutil.copytree(ROOT / "scripts", tmp_path / "the clone" / "scripts")
    return tmp_path / "the clone"


@pytest.fixture
def run(clone: Path, tmp_path: Path) -> Run:
    """Run a script on a machine that has TOOLS and the commands in the keyword arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        path = shutil.which(tool)
        assert path, tool
        (folder / tool).symlink_to(path)

    def run(
        *command: str,
        docker_host: str = "",
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        **stubs: str,
    ) -> subprocess.CompletedProcess[str]:
        for name, body in stubs.items():
            stub = folder / name
            stub.unlink(missing_ok=True)  # the command may be a link to the machine's own
            stub.write_text(f"#!/bin/bash\n{body}\n")
            stub.chmod(0o755)
        return subprocess.run(
            command,
            cwd=clone,
            env={"PATH": str(folder), "DOCKER_HOST": docker_host, **(environment or {})},
            pass_fds=pass_fds,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return run
