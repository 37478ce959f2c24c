"""Makes clocks wrong: a host's own, or what the time server says; the faults themselves are in drills/faults/."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from docker.models.containers import Container

from drills.clone import ROOT
from drills.deployed import instance_of
from drills.scene import Scene


@contextmanager
def false_time(scene: Scene, *how: str) -> Iterator[None]:
    """Something else answers in the time server's place."""
    false = scene.sidecar(f"container:{scene.part('time').id}", "/faults/time_server.py", *how)
    try:
        yield
    finally:
        false.stop(timeout=5)
        false.remove(force=True)


def fit(scene: Scene) -> tuple[Container, str]:
    """Start the service on the first host again such that its clock can be bent; the host and its instance id."""
    host = scene.hosts()[0]
    scene.run(host, "mkdir", "-p", "/faults")
    fault = (ROOT / "drills/faults/sitecustomize.py").read_bytes()
    scene.run(host, "tee", "/faults/sitecustomize.py", data=fault)
    # The engine's API takes back what it tells: the same container, but for a folder and a path.
    (present,) = json.loads(scene.run(host, "docker", "inspect", "timeservice"))
    path = next(one for one in present["Config"]["Env"] if one.startswith("PYTHONPATH="))
    environment = [one for one in present["Config"]["Env"] if one != path]
    environment.append("PYTHONPATH=/faults:" + path.partition("=")[2])
    body = present["Config"] | {"Env": environment}
    body["HostConfig"] = present["HostConfig"] | {"Binds": ["/faults:/faults:ro"]}
    scene.run(host, "docker", "rm", "--force", "timeservice")
    create = "http://docker/containers/create?name=timeservice"
    scene.run(
        host, "curl", "-fsS", "--unix-socket", "/var/run/docker.sock", "--data-binary", "@-",
        "-H", "Content-Type: application/json", create, data=json.dumps(body).encode(),
    )  # fmt: skip
    scene.run(host, "docker", "start", "timeservice")
    time.sleep(scene.two_checks)
    scene.until_two_healthy()
    return host, instance_of(host)


def bend(scene: Scene, host: Container, step: float = 0.0, drift: float = 0.0) -> None:
    """step: seconds by which the clock is wrong from now on. drift: seconds per second."""
    setting = f"{step} {drift} {time.monotonic()}\n"
    scene.run(host, "tee", "/faults/clock.new", data=setting.encode())
    scene.run(host, "mv", "/faults/clock.new", "/faults/clock")
