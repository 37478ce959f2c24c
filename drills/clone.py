"""A copy of this clone with a deployment of its own, so that what is up and what is being edited stays untouched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from local.machine import free_port

ROOT = Path(__file__).parent.parent
BUILT = ("base.tar", "cloud-base.tar", "image.tar.gz", "image.digest")
NOT_CLONED = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache")


class Done(NamedTuple):
    status: int
    output: str


def working_tree(folder: Path) -> None:
    """Copy what is being edited, with what has been built already."""
    shutil.copytree(ROOT, folder, ignore=NOT_CLONED)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "build").mkdir()
    for built in BUILT:
        if (ROOT / "build" / built).exists():
            shutil.copy2(ROOT / "build" / built, folder / "build" / built)


def committed(folder: Path) -> None:
    """Clone what a newcomer would get."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)


class Clone:
    """A copy of this clone, as a user would have one, whose sources may be changed."""

    def __init__(
        self,
        folder: Path,
        name: str,
        copy: Callable[[Path], None] = working_tree,
        say: Callable[[str], object] = print,
    ) -> None:
        """name: of its deployment. say: is given what each make prints."""
        self.folder, self.name, self.port, self.say = folder, name, free_port(), say
        self.url = f"http://127.0.0.1:{self.port}"
        copy(folder)

    def start(self, target: str, **variables: str) -> subprocess.Popen[str]:
        """Start `make TARGET` in a process group of its own, with these variables set."""
        # This may be run by make too, whose variables are not for that other make.
        environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}
        environment |= {"NAME": self.name, "PORT": str(self.port), **variables}
        return subprocess.Popen(
            ["make", target],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def make(self, target: str, **variables: str) -> Done:
        return self.finish(self.start(target, **variables))

    def finish(self, process: subprocess.Popen[str]) -> Done:
        """Wait for a make that was started."""
        try:
            output, _ = process.communicate(timeout=1800)
        except BaseException:  # Ctrl-C as well: what make has started goes with it
            os.killpg(process.pid, signal.SIGKILL)
            raise
        self.say(output)
        return Done(process.returncode, output)

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        if old not in text:
            raise ValueError(f"{file} does not have {old!r}")
        path.write_text(text.replace(old, new))
