"""What a local deployment has left on this machine: in its Docker engine, and in build/."""

from deployment import ROOT
from local.containers import DEFAULT, Containers
from local.steps import get_folder


def list_leftovers(cloud: Containers) -> list[str]:
    """Return for each thing what it is, why it is the deployment's, and what removes it."""
    down = "make down" if cloud.name == DEFAULT else f"NAME={cloud.name} make down"
    owner = cloud.owner()
    if owner not in (None, str(ROOT)):
        down = f"{down} (in the clone {owner}, which owns it)"
    lines = [
        f"  {item}: its label names this deployment\n      {down}" for item in cloud.leftovers()
    ]
    folder = get_folder(cloud.name)
    if folder.exists():
        lines.append(f"  folder {folder}: make up writes it\n      {down}")
    return lines
