"""What make up writes for itself, into a folder in build/ that make down removes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from deployment.errors import UserError
from local.containers import DEFAULT, ROOT
from local.steps import alone

SETTINGS = "settings.json"  # what was deployed, for make drift
URL = "url"  # the healthcheck looks here


class Busy(UserError):
    """Another run is at work on this deployment."""


def folder_of(name: str, root: Path = ROOT) -> Path:
    """The folder of the deployment of that name."""
    return root / "build" / ("local" if name == DEFAULT else f"local-{name}")


def remembered_port(folder: Path) -> int | None:
    """The port that the deployment had when it was last started."""
    try:
        return urlsplit((folder / URL).read_text().strip()).port
    except (OSError, ValueError):
        return None


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """One run at a time on a deployment."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    busy = Busy("another make up or make down is at work on this deployment; wait for it")
    with alone(Path(f"{folder}.lock"), busy):
        folder.mkdir(exist_ok=True)
        yield
