"""A known vulnerability of what is pinned is told; and where nobody can be asked, that is told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scan.tools import ROOT
from scan.vulnerabilities import locks, scan

pytestmark = pytest.mark.integration

PIN = re.compile(r"^([\w.-]+)==(\S+) \\$", re.MULTILINE)
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
    """A stand-in for api.osv.dev that knows one vulnerability, of jinja2."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1/query"


class _Handler(BaseHTTPRequestHandler):
    server: Database

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(question)
        known = question["package"]["name"] == "jinja2"
        answer = json.dumps({"vulns": [VULNERABILITY]} if known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

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


def test_every_pinned_package_is_asked_about_and_what_is_known_is_a_problem(
    database: Database, tmp_path: Path
) -> None:
    paths = [ROOT / "healthcheck/requirements.txt", ROOT / "service/requirements.txt"]
    report = scan(tmp_path, paths, database.url)
    (problem,) = report.problems
    assert re.fullmatch(r"service/requirements.txt: jinja2 [\d.]+: TEST-1; fixed in 99", problem)
    asked = {(one["package"]["name"], one["version"]) for one in database.asked}
    assert asked >= {pin for path in paths for pin in PIN.findall(path.read_text())}
    assert report.notes == [
        f"{sum(len(PIN.findall(path.read_text())) for path in paths)} packages of 2 locks"
    ]


def test_a_database_that_cannot_be_reached_is_said_and_is_no_clean_answer(tmp_path: Path) -> None:
    (note,) = scan(tmp_path, locks(), "http://127.0.0.1:9/v1/query").notes
    assert note.startswith(
        "VULNERABILITIES NOT CHECKED: the database is not reachable from here: http://127.0.0.1:9"
    )


def test_a_proxy_that_answers_instead_of_the_database_is_no_database(
    database: Database, tmp_path: Path
) -> None:
    answers = "http://127.0.0.1:" + str(database.server_port)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Handler, "do_POST", lambda self: self.send_error(403))
        (note,) = scan(tmp_path, locks(), f"{answers}/v1/query").notes
    assert note.startswith("VULNERABILITIES NOT CHECKED")
    assert "403" in note
