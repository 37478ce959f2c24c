"""How many requests a second the service serves, beside Flask's development server and nginx.

Each gets a t3.micro's memory, and is measured twice: with its two CPUs, and with its baseline. wrk
keeps 32 connections and sends the next request with each response, so its latency is that of a
server that is never idle. wrk shares this machine's CPUs, so the CPU time of a request is the
fairer figure.
"""

import contextlib
import platform
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from statistics import median
from typing import Any

from docker.models.containers import Container

from deployment import ROOT
from deployment.errors import UserError
from local.containers import connect, get_architecture, read_stats

DEBIAN = ROOT / "build/debian"
ROUNDS, WARM_UP, SECONDS = 5, 1, 5
SIZES = {"2 CPUs": 2.0, "0.2 CPU": 0.2}
FLASK = """
from datetime import datetime
from flask import Flask, jsonify
app = Flask(__name__)
app.route("/now")(lambda: jsonify(now=datetime.now().isoformat()))
app.run(host="0.0.0.0", port=8080)
"""
NGINX = """
daemon off; worker_processes 2; pid /dev/shm/pid; error_log stderr; events {}
http { access_log off; server { listen 8080; location / { return 200 "BODY"; } }
    client_body_temp_path /dev/shm/1; proxy_temp_path /dev/shm/2; fastcgi_temp_path /dev/shm/3;
    uwsgi_temp_path /dev/shm/4; scgi_temp_path /dev/shm/5; }
"""
# wrk counts in microseconds.
REPORT = """
done = function(summary, latency)
    local e = summary.errors
    print("figures", summary.requests, summary.duration / 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        e.connect + e.read + e.write + e.status + e.timeout)
end
"""
SERVICE, DEVELOPMENT, FIXED = "the service", "Flask's development server", "nginx, fixed"


def measure() -> bool:
    """Print a table for each size; return whether the service failed no request."""
    failed = 0.0
    for size, cpus in SIZES.items():
        with start_servers(cpus) as servers:
            # The servers take turns, so that other load of the machine affects all of them.
            rounds = [[get_figures(server) for server in servers.values()] for _ in range(ROUNDS)]
        print(f"\n| {size} | requests/s | p50 ms | p99 ms | CPU µs/request | MiB | failed |")
        print("|---" + "|--:" * 6 + "|")
        for name, *figures in zip(servers, *rounds, strict=True):
            columns = list(zip(*figures, strict=True))
            rate, p50, p99, cpu, memory = map(median, columns[:-1])
            print(f"| {name} | {rate:,.0f} | {p50:.1f} | {p99:.1f} ", end="")
            print(f"| {cpu:.0f} | {memory:.0f} | {sum(columns[-1]):.0f} |")
            if name == SERVICE:
                failed += sum(columns[-1])
    return failed == 0


@contextlib.contextmanager
def start_servers(cpus: float) -> Iterator[dict[str, Container]]:
    """Start all servers, each with this number of CPUs, and wait until they respond."""
    limits: Any = {"nano_cpus": int(cpus * 1e9), "mem_limit": "1g", "memswap_limit": "1g"}
    config = ROOT / "build/bench-nginx.conf"
    engine = connect()
    archive = ROOT / f"build/image-{get_architecture(engine)}.tar.gz"
    with contextlib.ExitStack() as running:
        image: Any = engine.images.load(archive.read_bytes())[0]
        running.callback(engine.images.remove, image.id, force=True)

        def start(**options: Any) -> Container:
            container = engine.containers.run(image.id, detach=True, **limits, **options)
            running.callback(container.remove, force=True, v=True)
            return container

        # No time server listens there. Its state does not change what a request costs.
        service = start(environment={"TIMESERVICE_TIME_SERVER": "127.0.0.1"})
        development = start(entrypoint="/usr/bin/python3.13", command=["-c", FLASK])
        config.write_text(NGINX.replace("BODY", "x" * len(get_body(service))))
        # nginx needs this machine's libraries, which its Debian package is made for.
        nginx = f"{DEBIAN}/nginx/usr/sbin/nginx:/nginx:ro"
        files = ["/usr:/usr:ro", nginx, f"{config}:/nginx.conf:ro"]
        fixed = start(entrypoint="/nginx", command=["-c", "/nginx.conf"], volumes=files)
        servers = {SERVICE: service, DEVELOPMENT: development, FIXED: fixed}
        for server in servers.values():
            get_body(server)
        yield servers


def get_url(server: Container) -> str:
    server.reload()
    address = server.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    return f"http://{address}:8080/now"


def get_body(server: Container) -> bytes:
    """Return the body of /now, once the server responds. Raises UserError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 60  # a fifth of a CPU starts Python slowly
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), opener.open(get_url(server), timeout=60) as response:
            return bytes(response.read())
        time.sleep(0.1)
    raise UserError(f"a server does not respond: {server.logs(tail=5).decode(errors='replace')}")


def get_figures(server: Container) -> tuple[float, ...]:
    """Put a server under load. Return its figures in the order of the table. Raises UserError."""
    url = get_url(server)
    run_wrk(url, WARM_UP)
    before = read_stats(server)
    requests, seconds, p50, p99, failed = run_wrk(url, SECONDS)
    after = read_stats(server)
    used = [stats["cpu_stats"]["cpu_usage"]["total_usage"] for stats in (before, after)]
    cpu = (used[1] - used[0]) / 1e3 / requests
    memory = after["memory_stats"]["usage"] - after["memory_stats"]["stats"].get("inactive_file", 0)
    return requests / seconds, p50, p99, cpu, memory / 2**20, failed


def run_wrk(url: str, seconds: int) -> list[float]:
    """Return the figures that REPORT prints. Raises UserError, also if no request was served."""
    script = ROOT / "build/bench-wrk.lua"
    script.write_text(REPORT)
    command = [f"{DEBIAN}/wrk/usr/bin/wrk", "-t1", "-c32", f"-d{seconds}s", "-s", str(script), url]
    libraries = f"{DEBIAN}/libluajit-5.1-2/usr/lib/{platform.machine()}-linux-gnu"
    try:
        output = subprocess.check_output(command, env={"LD_LIBRARY_PATH": libraries}, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"wrk failed, which make bench unpacks: {error}") from None
    figures = [float(figure) for figure in output.partition("figures")[2].split()]
    if len(figures) != 5 or not figures[0]:
        raise UserError(f"wrk got no response:\n{output}")
    return figures
