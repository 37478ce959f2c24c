"""pip-audit finds a known vulnerability of a pinned package, and a silent database is named."""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.scanning import ROOT, create_tree, run_scan

pytestmark = pytest.mark.integration

VULNERABILITY = {
    "id": "TEST-1",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "jinja2"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
    ],
}


class Database(ThreadingHTTPServer):
    """A stand-in for api.osv.dev that knows one vulnerability, of the package `vulnerable`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.vulnerable = "jinja2"
        self.url = f"http://127.0.0.1:{self.server_port}/v1/query"


class _Handler(BaseHTTPRequestHandler):
    server: Database

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        known = request["package"]["name"] == self.server.vulnerable
        response = json.dumps({"vulns": [VULNERABILITY]} if known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def database() -> Iterator[Database]:
    with Database() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_every_pinned_package_is_looked_up_and_a_vulnerable_one_fails_the_scan(
    database: Database, tmp_path: Path
) -> None:
    done = run_scan(create_tree(tmp_path / "tree"), "packages", OSV_URL=database.url)
    assert done.returncode == 1
    assert "TEST-1" in done.stderr
    assert "renew the packages of uv.lock (make lock)" in done.stderr
    shipped = {"certifi", "flask", "gunicorn", "ministack", "ntplib", "pulumi", "requests"}
    assert shipped <= {request["package"]["name"] for request in database.requests}


def test_packages_without_a_known_vulnerability_pass_and_the_scan_looks_up_all_of_them(
    database: Database, tmp_path: Path
) -> None:
    database.vulnerable = "none"
    done = run_scan(create_tree(tmp_path / "tree"), "packages", OSV_URL=database.url)
    assert (done.returncode, done.stderr) == (0, "")
    lock = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    names = {package["name"] for package in lock if "registry" in package["source"]}
    looked_up = {request["package"]["name"] for request in database.requests}
    others = {"colorama", "pywin32", "tzdata"}
    assert names - looked_up - others == set()


def test_a_database_that_does_not_answer_is_named_and_is_no_clean_result(tmp_path: Path) -> None:
    tree = create_tree(tmp_path / "tree")
    done = run_scan(tree, "packages", OSV_URL="http://127.0.0.1:9/v1/query")
    assert done.returncode == 0
    assert "VULNERABILITIES NOT CHECKED: the database does not respond" in done.stdout
    assert "127.0.0.1" in done.stdout


def test_a_proxy_that_responds_in_place_of_the_database_is_no_database(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Handler, "do_POST", lambda self: self.send_error(403))
    done = run_scan(create_tree(tmp_path / "tree"), "packages", OSV_URL=database.url)
    assert "VULNERABILITIES NOT CHECKED" in done.stdout
    assert "403" in done.stdout
