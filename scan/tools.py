"""The scanners in build/scan, run without anybody's home folder or configuration, and most without the network."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "scan"


class Broken(Exception):
    """A scanner is missing or has not done its work; the text says which, and why."""


class Report(NamedTuple):
    """What a scan says: what must be mended, and beside that what was looked at, or could not be."""

    problems: list[str]
    notes: list[str]


# With these, none asks for anything outside but pip-audit.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "SKIP_PACKAGE_UPDATE_CHECK": "true",  # checkov's
    "KF_RULE_CACHE_DIR": str(FOLDER / "rules"),  # kingfisher's: compiled once
}
# For pip-audit: the way out of this machine.
WAY_OUT = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def run_for_json(command: list[str | Path], folder: Path, statuses: tuple[int, ...]) -> Any:
    """The first JSON value that it prints. Raises Broken if there is none, or it does not end with such a status.

    It runs in `folder`, which is its home as well: a .checkov.yaml in the clone, or somebody's own settings, would
    change what it finds.
    """
    way_out = {name: value for name, value in os.environ.items() if name.upper() in WAY_OUT}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**ENVIRONMENT, **way_out, "HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as missing:
        raise Broken(f"{missing.filename} is not there: run `make scan`") from None
    try:
        if done.returncode in statuses:
            return json.JSONDecoder().raw_decode(done.stdout.lstrip())[0]
    except json.JSONDecodeError:
        pass  # as bad as a wrong status
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
    raise Broken(f"{Path(command[0]).name} ended with {done.returncode}: {' '.join(last)}")
