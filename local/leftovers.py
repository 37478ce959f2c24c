"""What a local deployment has left on this machine: in its Docker engine, and in build/."""

import os
import shutil

from deployment import ROOT
from deployment.errors import UserError
from local.api import answers
from local.containers import DEFAULT, Containers
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
    return lines
