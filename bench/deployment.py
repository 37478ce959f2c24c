"""Times what a newcomer waits for, in a fresh clone, and says on which machine: `make bench`.

The figures are of one run each, and include downloads: they tell the order of things, not milliseconds.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
CPUINFO, MEMINFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Clone:
    """A fresh clone of what is committed, with a deployment of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)  # noqa: S603, S607 - git
        self.environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}
        self.environment |= {"NAME": "bench", "PORT": str(free_port())}

    def make(self, target: str) -> float:
        """Seconds that `make TARGET` takes; ends the run with its output if it fails."""
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603 - make
            ["make", target],  # noqa: S607 - the machine's
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{done.stdout}\nerror: make {target} failed in {self.folder}")
        return time.monotonic() - began


def machine() -> str:
    models = [
        line.split(":")[1].strip()
        for line in CPUINFO.read_text().splitlines()
        if "model name" in line
    ]
    kib = int(MEMINFO.read_text().split()[1])
    return (
        f"{os.cpu_count()} x {models[0] if models else platform.machine()}, {kib / 2**20:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def main() -> int:
    engine = "a Docker engine was there" if shutil.which("dockerd") else "without Docker"
    rows: list[tuple[str, float, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        clone = Clone(Path(folder) / "clone")
        try:
            for target, what, goal in (
                ("up", f"make up, fresh clone ({engine})", "240 s"),
                ("up", "make up again, nothing to change", ""),
                ("down", "make down", ""),
                ("up", "make up, warm (images and packages are there)", "45 s"),
                ("unit", "make unit, its first time (fetches what tests use)", ""),
                ("unit", "make unit", "60 s"),
            ):
                print(f"  {what} ...", file=sys.stderr, flush=True)
                rows.append((what, clone.make(target), goal))
        finally:
            clone.make("down")
            clone.make("clean")
    print(f"Measured on {machine()}.\n")
    print(f"| {'what':<50} | seconds | goal  |\n|{'-' * 52}|--------:|-------|")
    for what, seconds, goal in rows:
        print(f"| {what:<50} | {seconds:>7.1f} | {goal:<5} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
