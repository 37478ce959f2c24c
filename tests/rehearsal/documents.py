"""Run a document's commands as it has them, and compare what they print with what it shows."""

from __future__ import annotations

import os
import re
import subprocess

from deployment import ROOT
from drills.clone import Clone
from tests.rehearsal.cloud import NAME
from tests.support.documented import remove_figures

# The healthcheck's image, which users have as timeservice-healthcheck:VERSION.
IMAGE = f"{NAME}-healthcheck"


def adapt(text: str, clone: Clone) -> str:
    """Return the text with the rehearsal's port and names.

    Its balancer is on the loopback interface, where containers see it in the machine's network.
    """
    text = text.replace("http://127.0.0.1:8080", clone.url).replace("example.org", clone.url)
    text = text.replace("scripts/check-image.sh", f"{ROOT}/scripts/check-image.sh {IMAGE}:VERSION")
    text = re.sub(r"timeservice-healthcheck:[\d.]+", f"{IMAGE}:VERSION", text)
    text = re.sub(r"(--name |--follow )timeservice-healthcheck", rf"\1{IMAGE}", text)
    text = text.replace("name=timeservice-", f"name={clone.name}-")
    return text.replace("docker run ", "docker run --network host ")


def start(text: str, clone: Clone) -> subprocess.Popen[str]:
    """Start a command of a document in the clone, with its output in a pipe."""
    environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}
    return subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", f"exec 2>&1; {adapt(text, clone)}"],
        cwd=clone.folder,
        env=environment | {"NAME": clone.name, "PORT": str(clone.port), "URL": clone.url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def expect_output(documented: list[str], output: str) -> None:
    """Expect these lines in this order, and others only where the document has `...`."""
    said, anything = [remove_figures(line) for line in output.splitlines() if line.strip()], False
    for line in documented:
        if line.strip() == "...":
            anything = True
            continue
        assert remove_figures(line) in (said if anything else said[:1]), (
            f"{line!r} is not in\n{output}"
        )
        said, anything = said[said.index(remove_figures(line)) + 1 :], False
    assert anything or not documented or not said, f"more than is documented: {said}"
