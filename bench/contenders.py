"""The service and what it is measured against, each in a container with one host's share of CPU and memory."""

from __future__ import annotations

import hashlib
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import docker
from docker.errors import DockerException
from docker.models.containers import Container

ROOT = Path(__file__).parent.parent
ARCHIVE = ROOT / "build/image.tar.gz"
NGINX = ROOT / "build/debian/nginx/usr/sbin/nginx"
NGINX_CONFIG = ROOT / "build/bench-nginx.conf"
LABELS = {"timeservice.bench": hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}
PORT = 8080
MEMORY = "1g"  # a t3.micro's
PATIENCE = 60.0  # seconds; a fifth of a CPU starts Python slowly
# As cfn/hosts.yaml runs the service; its own limit of 256 MiB would hide what it takes.
CONFINED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "mem_limit": MEMORY,
    "memswap_limit": MEMORY,
    "pids_limit": 64,
}
SERVICE, DEVELOPMENT_SERVER, FIXED = "the service", "Flask's development server", "nginx, fixed"
# The whole of what public answers to this exercise run.
PLAIN_APP = f"""
from datetime import datetime
from flask import Flask, jsonify

app = Flask(__name__)

@app.route("/now")
def now():
    return jsonify(now=datetime.now().isoformat())

app.run(host="0.0.0.0", port={PORT})
"""
# A worker for each CPU, all that it may write in memory; it answers as fast as it can say something.
PLAIN_NGINX = """
daemon off; worker_processes 2; pid /dev/shm/pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path /dev/shm/1; proxy_temp_path /dev/shm/2; fastcgi_temp_path /dev/shm/3;
    uwsgi_temp_path /dev/shm/4; scgi_temp_path /dev/shm/5;
    server {{ listen {port}; default_type application/json; location / {{ return 200 "{body}"; }} }}
}}
"""


class Used(NamedTuple):
    """By a container: CPU time since it started, in seconds; memory now, in MiB, without files that it has read."""

    cpu: float
    memory: float


class Contender(NamedTuple):
    name: str
    container: Container
    url: str

    def used(self) -> Used:
        # Once, not one_shot: the engine takes its own time, but gives the numbers of now.
        stats: Any = self.container.stats(stream=False, one_shot=True)
        memory, detail = stats["memory_stats"]["usage"], stats["memory_stats"]["stats"]
        files = detail.get("total_inactive_file", detail.get("inactive_file", 0))  # cgroup v1, v2
        return Used(stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, (memory - files) / 2**20)

    def ask(self) -> bytes:
        """/now, once it is answered."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with opener.open(f"{self.url}/now", timeout=PATIENCE) as answer:
                    return bytes(answer.read())
            except OSError:
                self.container.reload()
                if time.monotonic() > deadline or self.container.status != "running":
                    said = self.container.logs(tail=5).decode(errors="replace")
                    raise SystemExit(f"error: {self.name} does not answer:\n{said}") from None
                time.sleep(0.1)


@contextmanager
def contenders(cpus: float) -> Iterator[list[Contender]]:
    """All of them, ready to serve, each with so many CPUs. Who is not asked does nothing meanwhile."""
    try:
        engine = docker.from_env()
        engine.ping()
    except DockerException:
        raise SystemExit("error: no Docker engine answers; `make bench` starts one") from None
    there_before = {tag for one in engine.images.list() for tag in one.tags}
    image: Any = engine.images.load(ARCHIVE.read_bytes())[0]
    # A network of its own without a way out: nobody else can reach them.
    network = engine.networks.create("timeservice-bench", internal=True, labels=LABELS)
    try:
        start = partial(_started, engine, image.id, str(network.name), int(cpus * 1e9))
        yield list(_ready(start))
    finally:
        filters: Any = {"label": [f"{key}={value}" for key, value in LABELS.items()]}
        for container in engine.containers.list(all=True, filters=filters):
            container.remove(force=True, v=True)
        network.remove()
        image.reload()
        for tag in set(image.tags) - there_before:
            engine.images.remove(tag)
        engine.close()
        NGINX_CONFIG.unlink(missing_ok=True)


def _ready(start: Callable[..., Contender]) -> Iterator[Contender]:
    # No time server: what it says costs a request nothing.
    service = start(SERVICE, environment={"TIMESERVICE_TIME_SERVER": "127.0.0.1"})
    development = start(
        DEVELOPMENT_SERVER, entrypoint="/usr/bin/python3.13", command=["-c", PLAIN_APP]
    )
    body = "x" * len(service.ask())
    NGINX_CONFIG.write_text(PLAIN_NGINX.format(port=PORT, body=body))
    # It links to this machine's libraries, which its package is for, not to those in the image.
    files = {"/usr": "/usr", str(NGINX): "/nginx", str(NGINX_CONFIG): "/nginx.conf"}
    fixed = start(
        FIXED,
        entrypoint="/nginx",
        command=["-c", "/nginx.conf"],
        volumes={here: {"bind": there, "mode": "ro"} for here, there in files.items()},
    )
    for one in (service, development, fixed):
        one.ask()
        yield one


def _started(
    engine: docker.DockerClient, image: str, network: str, nano_cpus: int, name: str, **options: Any
) -> Contender:
    limits = CONFINED | {"nano_cpus": nano_cpus, "network": network}
    container = engine.containers.run(image, detach=True, labels=LABELS, **limits, **options)
    container.reload()
    networks: Mapping[str, Any] = container.attrs["NetworkSettings"]["Networks"]
    return Contender(name, container, f"http://{networks[network]['IPAddress']}:{PORT}")
