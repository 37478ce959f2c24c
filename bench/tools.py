"""Tools that say whether a service is up and right, ours among them: each from its port on this machine to a word.

own: by how much the checker's own clock is wrong. Ours asks NTP servers, which know; the others believe that clock.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

from bench.network import HERE
from bench.rivals import METHODS
from healthcheck import reference
from healthcheck.check import check
from healthcheck.verdict import LIMIT
from local.machine import free_port
from tests.support.healthcheck_servers import ntp

DEBIAN = Path(__file__).parent.parent / "build/debian"
CHECK_HTTP = DEBIAN / "monitoring-plugins-basic/usr/lib/nagios/plugins/check_http"
BLACKBOX = DEBIAN / "prometheus-blackbox-exporter/usr/bin/prometheus-blackbox-exporter"
# As strict as it gets: it can look for a time in the answer, but not at it.
BLACKBOX_CONFIG = r"""
modules: {time: {prober: http, http: {fail_if_body_not_matches_regexp: ['"now": "\d{4}-\d\d-\d\dT']}}}
"""
OK, FAILED, NOT_PROVEN, NOT_HERE = "OK", "Failed", "not proven", "none"


def ours(port: int, own: float) -> str:
    with contextlib.ExitStack() as running:
        names = [running.enter_context(ntp(shift=-own)).name for _ in range(3)]
        found = check(f"http://{HERE}:{port}", lambda patience: reference.measure(names, patience))
    return NOT_PROVEN if found.verdict.reason == "undetermined" else found.verdict.status


def check_http(port: int, own: float) -> str:
    if not CHECK_HTTP.exists():
        return NOT_HERE
    command = [str(CHECK_HTTP), "-I", HERE, "-p", str(port), "-u", "/now"]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    return FAILED if done.returncode else OK


def blackbox(port: int, own: float) -> str:
    if not BLACKBOX.exists():
        return NOT_HERE
    with blackbox_exporter() as exporter:
        asked = {"target": f"http://{HERE}:{port}/now", "module": "time"}
        answer = requests.get(f"{exporter}/probe", params=asked, timeout=30)
    return OK if "\nprobe_success 1" in answer.text else FAILED


@contextlib.contextmanager
def blackbox_exporter() -> Iterator[str]:
    """Its URL, while it runs."""
    address = f"{HERE}:{free_port()}"
    config = DEBIAN / f"blackbox-{address}.yml"
    config.write_text(BLACKBOX_CONFIG)
    command = [str(BLACKBOX), f"--config.file={config}", f"--web.listen-address={address}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with contextlib.suppress(requests.ConnectionError):
                    requests.get(f"http://{address}/-/healthy", timeout=5)
                    break
                time.sleep(0.05)
            yield f"http://{address}"
        finally:
            process.terminate()
            config.unlink()


def by(method: str) -> Callable[[int, float], str]:
    """A verdict by one of METHODS."""

    def judge(port: int, own: float) -> str:
        found = METHODS[method](port)
        if found is None:
            return NOT_HERE
        return OK if abs(found) <= LIMIT else FAILED

    return judge


TOOLS: dict[str, Callable[[int, float], str]] = {
    "ours": ours,
    **{method: by(method) for method in METHODS},
    "check_http": check_http,
    "blackbox_exporter": blackbox,
}
