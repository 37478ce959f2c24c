"""What of a deployment in the local cloud this machine has: in its Docker engine, its processes, its mounts, build/."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deployment.errors import UserError
from local.api import answers
from local.containers import CLONE, DEFAULT, ROOT, Containers
from local.files import folder_of
from local.steps import alone


class Traces:
    """unasked: what could not be asked for, in words."""

    def __init__(self, name: str) -> None:
        """Raises UserError if there is an engine, and it does not answer."""
        self.name = name
        self.unasked: list[str] = []
        self.cloud: Containers | None = None
        try:
            self.cloud = Containers(name)
        except UserError:
            if os.environ.get("DOCKER_HOST") or shutil.which("dockerd"):
                raise UserError(
                    "no Docker engine answers, so what it has is not known; scripts/engine.sh starts one"
                ) from None

    def endpoint(self) -> str | None:
        """URL of the local AWS API, if it answers."""
        try:
            endpoint = self.cloud.endpoint() if self.cloud else ""
            return endpoint if endpoint and answers(endpoint) else None
        except UserError:
            return None

    def all(self) -> list[str]:
        """Lines for people."""
        down = "make down" if self.name == DEFAULT else f"NAME={self.name} make down"
        if self.cloud and (owner := self.cloud.owner()) not in (None, str(ROOT)):
            down = f"{down} (in the clone {owner}, whose it is)"
        engine = self.cloud.leftovers() if self.cloud else []
        folder = folder_of(self.name)
        return [
            *(f"  {one}: it is labelled with this deployment\n      {down}" for one in engine),
            *(
                f"  folder {one}: make up writes it\n      {down}"
                for one in [folder]
                if one.exists()
            ),
            *(["  process of another make up or make down: wait for it"] if busy(folder) else []),
            *(f"  {what}: this clone started it\n      kill {pid}" for pid, what in running()),
            *(f"  mount {one}: it is in this clone\n      umount {one}" for one in mounts()),
        ]


def busy(folder: Path) -> bool:
    """Whether a run is at work on the deployment."""
    lock = Path(f"{folder}.lock")
    if not lock.exists():
        return False
    try:
        with alone(lock, UserError()):
            return False
    except UserError:
        return True


def running(proc: Path = Path("/proc")) -> list[tuple[int, str]]:
    """Processes that a script of this clone has started, and that go on though it has ended: pid, and in words.

    Another user's are not seen by who is not root.
    """
    found = []
    for folder in proc.glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        except OSError:  # it has ended, or is another user's
            continue
        if f"TIMESERVICE_LOCKED={CLONE}".encode() in environment:
            found.append((int(folder.name), f"process {folder.name} ({command.strip()[:60]})"))
    return found


def mounts(table: Path = Path("/proc/self/mounts"), folder: Path = ROOT) -> list[str]:
    """Where something is mounted in this clone's build/, the innermost first."""
    places = [
        line.split()[1].encode().decode("unicode_escape") for line in table.read_text().splitlines()
    ]
    return [one for one in reversed(places) if Path(one).is_relative_to(folder / "build")]
