"""A copy of this clone with a deployment of its own, so that drills change no other."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from deployment import ROOT
from local.machine import free_port

BUILT = ("base-*", "cloud-base.tar", "image-*")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache")


class Done(NamedTuple):
    """A command that has ended: its exit status, and what it printed."""

    status: int
    output: str


class Clone:
    """A copy of the working tree, as a user would have one, whose sources may be changed.

    name: of its deployment. log: receives what each make prints.
    """

    def __init__(self, folder: Path, name: str, log: Callable[[str], object] = print) -> None:
        self.folder = folder
        self.name = name
        self.log = log
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        shutil.copytree(ROOT, folder, ignore=NOT_COPIED)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / "build").mkdir()
        for pattern in BUILT:
            for file in (ROOT / "build").glob(pattern):
                shutil.copy2(file, folder / "build")

    def start(self, target: str, **variables: str) -> subprocess.Popen[str]:
        """Start `make TARGET` in a process group of its own, with these variables."""
        # The variables of a make that runs this program are not for the other make.
        environment = {
            key: value
            for key, value in os.environ.items()
            if "MAKE" not in key and key != "TIMESERVICE_STARTED"
        }
        environment |= {"NAME": self.name, "PORT": str(self.port), **variables}
        return subprocess.Popen(
            # Under nohup, make would ignore Ctrl-C, as this program does.
            ["env", "--default-signal=INT", "make", target],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> Done:
        """Wait for a make that was started."""
        try:
            output, _ = process.communicate(timeout=1800)
        except BaseException:
            # All that make has started ends with this program, also on Ctrl-C.
            os.killpg(process.pid, signal.SIGKILL)
            raise
        self.log(output)
        return Done(process.returncode, output)

    def make(self, target: str, **variables: str) -> Done:
        """Run `make TARGET` with these variables."""
        return self.finish(self.start(target, **variables))

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace a text in a source file. Raises ValueError if the file does not have the text."""
        path = self.folder / file
        text = path.read_text()
        if old not in text:
            raise ValueError(f"{file} does not have {old!r}; change the drill as well")
        path.write_text(text.replace(old, new))
