"""Local commands work, and reach the local cloud alone, whatever variables the user has set."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

NO_STACKS = b"""<ListStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
<ListStacksResult><StackSummaries/></ListStacksResult></ListStacksResponse>"""
# Run make status for an API at the given URL, and print each name and address that is used.
SCRIPT = """
import socket, sys

def record(name):
    function = getattr(socket.socket if name == "connect" else socket, name)
    def record_call(*arguments, **options):
        target = arguments[1] if name == "connect" else arguments[:2]
        print("reached", *target)
        return function(*arguments, **options)
    return record_call

socket.getaddrinfo = record("getaddrinfo")
socket.socket.connect = record("connect")

from local import __main__ as command, api, program

class Containers:
    port = 8080
    def __init__(self, name): pass
    def check_up(self): pass
    def hosts(self): return []
    def machines(self): return []
    def endpoint(self): return sys.argv[1]

command.Containers = Containers
assert program.check({}).budget == 0
assert api.is_up(sys.argv[1])
raise SystemExit(command.main(["status"]))
"""


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        # CloudWatch's requests name their operation in a header.
        body = b'{"MetricAlarms": []}' if self.headers["X-Amz-Target"] else NO_STACKS
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


PROXIES = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")


@pytest.mark.parametrize(
    "variables",
    [
        PROXIES,
        {"AWS_PROFILE": "nobody"},
        {"AWS_CONFIG_FILE": "broken", "AWS_SHARED_CREDENTIALS_FILE": "broken"},
        {"AWS_RETRY_MODE": "fast"},
        {"AWS_DEFAULTS_MODE": "none"},
        {"PULUMI_CONFIG": "{"},
        {
            "AWS_ENDPOINT_URL": "https://sts.us-east-1.amazonaws.com",
            "AWS_USE_FIPS_ENDPOINT": "true",
            "AWS_MAX_ATTEMPTS": "many",
            "AWS_CA_BUNDLE": "/nowhere",
            "AWS_DEFAULT_REGION": "mars",
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_SECRET_ACCESS_KEY": "x",
            "PULUMI_STACK": "prod",
        },
    ],
    ids=str,
)
def test_a_local_command_reaches_the_local_cloud_alone(
    variables: dict[str, str], port: int, tmp_path: Path
) -> None:
    (tmp_path / "broken").write_text("[profile\nregion")
    environment = {
        key: str(tmp_path / "broken") if value == "broken" else value
        for key, value in variables.items()
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"http://127.0.0.1:{port}"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "no_proxy": "", "NO_PROXY": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "url     http://127.0.0.1:8080/ and http://127.0.0.1:8080/now" in done.stdout
    reached = {line for line in done.stdout.splitlines() if line.startswith("reached")}
    assert reached == {f"reached 127.0.0.1 {port}"}
