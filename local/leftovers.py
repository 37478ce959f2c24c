"""What a local deployment has left on this machine: in its Docker engine, processes, mounts, build/."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deployment import ROOT
from deployment.errors import UserError
from local.api import answers
from local.containers import CLONE, DEFAULT, Containers
from local.steps import get_folder, is_locked


def connect(name: str) -> Containers | None:
    """Return the containers of the deployment, or None if this machine has no Docker engine.

    Raises UserError if there is an engine that does not answer.
    """
    try:
        return Containers(name)
    except UserError:
        if os.environ.get("DOCKER_HOST") or shutil.which("dockerd"):
            raise UserError(
                "no Docker engine answers, so its containers are unknown; "
                "scripts/engine.sh starts one"
            ) from None
        return None


def find_endpoint(cloud: Containers | None) -> str | None:
    """Return the URL of the local AWS API if it answers."""
    try:
        endpoint = cloud.endpoint() if cloud else ""
    except UserError:
        return None
    return endpoint if endpoint and answers(endpoint) else None


def list_leftovers(name: str, cloud: Containers | None) -> list[str]:
    """Return for each thing what it is, why it is the deployment's, and what removes it."""
    down = "make down" if name == DEFAULT else f"NAME={name} make down"
    labelled = []
    if cloud:
        owner = cloud.owner()
        if owner not in (None, str(ROOT)):
            down = f"{down} (in the clone {owner}, which owns it)"
        labelled = cloud.leftovers()
    lines = [f"  {item}: its label names this deployment\n      {down}" for item in labelled]
    folder = get_folder(name)
    if folder.exists():
        lines.append(f"  folder {folder}: make up writes it\n      {down}")
    if is_locked(folder):
        lines.append("  process of another make up or make down: wait for it")
    for pid, command in list_processes():
        lines.append(f"  process {pid} ({command}): this clone started it\n      kill {pid}")
    for mount in list_mounts():
        lines.append(f"  mount {mount}: it is in this clone\n      umount {mount}")
    return lines


def list_processes() -> list[tuple[int, str]]:
    """Return pid and command of what outlived a script of this clone.

    Processes of other users are visible to root alone.
    """
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            # It has ended, or belongs to another user.
            continue
        if f"TIMESERVICE_LOCKED={CLONE}".encode() in environment:
            processes.append((int(folder.name), command.replace("\0", " ").strip()[:60]))
    return processes


def list_mounts(table: Path = Path("/proc/self/mounts"), clone: Path = ROOT) -> list[str]:
    """Return the mount points in the build/ of this clone, the innermost first."""
    # The kernel writes a space as \040.
    fields = [line.split()[1].encode() for line in table.read_text().splitlines()]
    points = [field.decode("unicode_escape") for field in fields]
    return [point for point in reversed(points) if Path(point).is_relative_to(clone / "build")]
