"""The deployment comes up, and serves the time, the page and its errors."""

from __future__ import annotations

import os
import re
import signal

import docker
import pytest
import requests

from drills.clone import Clone
from healthcheck.__main__ import main as healthcheck
from tests.rehearsal.cloud import LABEL, ask_until_each_host_responds
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.rehearsal


def test_up_completes_what_a_killed_up_has_left(clone: Clone) -> None:
    make = clone.start("up")
    assert make.stdout
    for line in make.stdout:
        print(line, end="")
        if "artifacts" in line:
            break
    os.killpg(make.pid, signal.SIGKILL)
    make.stdout.close()
    make.wait()
    done = clone.make("up")
    assert done.status == 0
    assert re.search(r"^OK: both hosts of \S+ within 1 s: ", done.output, re.MULTILINE)
    assert f"{clone.url}/now" in done.output


def test_up_again_changes_nothing_and_says_so(clone: Clone, engine: docker.DockerClient) -> None:
    before = {container.id for container in engine.containers.list(filters=LABEL)}
    done = clone.make("up")
    assert done.status == 0
    assert "Nothing changed" in done.output
    assert {container.id for container in engine.containers.list(filters=LABEL)} == before


def test_both_hosts_answer_through_the_balancer(clone: Clone, engine: docker.DockerClient) -> None:
    answers = ask_until_each_host_responds(clone, engine)
    assert {answer["zone"] for answer in answers} == {"us-east-1a", "us-east-1b"}
    assert {answer["clock"]["state"] for answer in answers} == {"synchronised"}
    assert len({answer["version"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/now", 200),
        ("/now?tz=Asia/Tokyo", 200),
        ("/health", 404),
        ("/now/", 404),
        ("/NOW", 404),
        ("/nowhere", 404),
        ("//now", 404),
        ("/static/../health", 404),
        ("/.env", 404),
    ],
)
def test_only_the_page_and_now_are_public(clone: Clone, path: str, status: int) -> None:
    request = requests.Request("GET", clone.url).prepare()
    request.url = clone.url + path  # unchanged: requests would normalise the path
    with requests.Session() as session:
        assert session.send(request, timeout=PATIENCE).status_code == status


def test_status_tells_the_stacks_and_the_hosts(clone: Clone) -> None:
    serving = re.compile(r"^host .* healthy .* clock [+-]\S+ ms .* synchronised$", re.MULTILINE)
    wait_until(lambda: len(serving.findall(clone.make("status").output)) == 2)
    done = clone.make("status")
    assert done.status == 0
    assert done.output.count("CREATE_COMPLETE") == 5
    assert f"{clone.url}/now" in done.output


def test_the_healthcheck_says_ok_and_its_exit_code_too(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    assert healthcheck([clone.url]) == 0
    assert capsys.readouterr().out.startswith("OK: both hosts of ")
