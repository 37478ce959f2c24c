"""Trees in which a test plants a fault, for scripts/scan.sh."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.tools import fail_without

ROOT = Path(__file__).parents[2]


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def create_tree(folder: Path) -> Path:
    """Create a tree with the scripts, the locks and the installed scanners, and no history."""
    if not list((ROOT / "build/tools").glob("bin/checkov")):
        fail_without("checkov in build/tools", "scripts/tools.sh scanners")
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    for name in ("uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "build").mkdir()
    (folder / "build/tools").symlink_to(ROOT / "build/tools")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / ".gitignore").write_text("/build/\n/.venv\n")
    return folder


def run_scan(folder: Path, part: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "scripts/scan.sh", part],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
