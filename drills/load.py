"""A load on the deployment that keeps the result of every request; drills/sender.py sends it."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from deployment import ROOT
from local.steps import wait_until

# Seconds for which a load lasts before and after its block.
AROUND = 2.0


class Request(NamedTuple):
    """The result of a request.

    due: Unix seconds. latency: seconds since then. status: 0 without a response.
    trouble: why there is no response. wrong: seconds by which the time in the response was off
    at least, however long the response took.
    """

    due: float
    latency: float
    status: int
    trouble: str = ""
    instance: str = ""
    version: str = ""
    wrong: float = 0.0

    @property
    def has_failed(self) -> bool:
        return self.status != 200


@contextmanager
def run_load(url: str, rate: float) -> Iterator[list[Request]]:
    """GET `url`, `rate` times per second, during the block, and AROUND seconds before and after.

    The list has the results after the block, in the order in which they were due. Raises
    RuntimeError at the end of the block if the load did not run until then.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "load.jsonl"
        command = [sys.executable, "-m", "drills.sender", url, str(log), str(rate)]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
        requests: list[Request] = []
        wait_until(lambda: log.exists() or process.poll() is not None, 30)
        time.sleep(AROUND)
        try:
            yield requests
            time.sleep(AROUND)
        finally:
            # The end of its input ends the load; it then waits for the last responses.
            process.communicate(timeout=60)
            if process.returncode:
                raise RuntimeError(
                    f"the load ended with status {process.returncode} (-9: out of memory?)"
                )
            rows = log.read_text().splitlines()
            requests += sorted(Request(*json.loads(row)) for row in rows)
