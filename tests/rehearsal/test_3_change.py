"""Under steady requests, a rule changes, a release succeeds, and another release fails."""

from __future__ import annotations

import socket
import time

import docker
import pytest
import requests

from drills import load
from drills.clone import Clone
from drills.outcome import failures
from tests.rehearsal.cloud import hosts, release, stacks, versions
from tests.support.waiting import PATIENCE, wait_until

RATE = 50.0  # requests per second

pytestmark = pytest.mark.rehearsal


@pytest.fixture(scope="module", autouse=True)
def first(clone: Clone) -> str:
    """The release that served before all of this."""
    return release(clone)


def test_a_changed_rule_of_the_balancer_holds_at_once_and_loses_nothing(clone: Clone) -> None:
    def health() -> int:
        return requests.get(f"{clone.url}/health", timeout=PATIENCE).status_code

    with load.run_load(f"{clone.url}/now", RATE) as sent:
        clone.replace("cfn/balancer.yaml", "Values: [/, /now]", "Values: [/, /now, /health]")
        assert clone.make("up").status == 0
        wait_until(lambda: health() == 200)
        clone.replace("cfn/balancer.yaml", "Values: [/, /now, /health]", "Values: [/, /now]")
        assert clone.make("up").status == 0
        wait_until(lambda: health() == 404)
    assert failures(sent) == []


def test_a_busy_port_leaves_alone_what_is_up(clone: Clone) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = clone.make("up", PORT=str(taken.getsockname()[1]))
    assert done.status != 0
    assert "choose another" in done.output
    assert requests.get(f"{clone.url}/now", timeout=PATIENCE).status_code == 200


def test_a_release_under_steady_requests_loses_none(
    clone: Clone, engine: docker.DockerClient
) -> None:
    before, old_hosts = release(clone), {host.id for host in hosts(engine)}
    clone.replace("service/page/page.html", "<title>Time service</title>", "<title>Time</title>")
    with load.run_load(f"{clone.url}/now", RATE) as sent:
        # Nothing is written into the home folder, which is read-only here.
        assert clone.make("up", HOME="/proc").status == 0
        time.sleep(2)
    assert failures(sent) == []
    assert versions(sent) == {before, release(clone)}
    assert len(sent) > 500
    assert old_hosts.isdisjoint(host.id for host in hosts(engine))
    assert [stack for stack in stacks(engine) if stack.startswith("hosts")] == [
        f"hosts-{release(clone)}"
    ]
    assert "<title>Time</title>" in requests.get(clone.url, timeout=PATIENCE).text


def test_a_broken_release_rolls_back_and_tells_why(
    clone: Clone, engine: docker.DockerClient
) -> None:
    before, old_hosts, standing = (
        release(clone),
        {host.id for host in hosts(engine)},
        stacks(engine),
    )
    clone.replace(
        "service/Dockerfile", '["/usr/bin/python3.13", "-m", "gunicorn"', '["/usr/bin/pyhton"'
    )
    with load.run_load(f"{clone.url}/now", RATE) as sent:
        done = clone.make("up")
    assert done.status != 0
    assert "failed while starting the service" in done.output
    assert "/usr/bin/pyhton" in done.output.split("last error:")[1]
    assert "Traceback" not in done.output
    assert failures(sent) == []
    assert versions(sent) == {before}
    assert stacks(engine) == standing
    assert old_hosts <= {host.id for host in hosts(engine)}


def test_going_back_to_the_release_that_serves_changes_nothing(clone: Clone) -> None:
    clone.replace(
        "service/Dockerfile", '["/usr/bin/pyhton"', '["/usr/bin/python3.13", "-m", "gunicorn"'
    )
    done = clone.make("up")
    assert done.status == 0
    assert "Nothing changed" in done.output


def test_rolling_back_is_a_release_of_what_was_there_before_and_loses_none(
    clone: Clone, first: str
) -> None:
    assert release(clone) != first
    clone.replace("service/page/page.html", "<title>Time</title>", "<title>Time service</title>")
    with load.run_load(f"{clone.url}/now", RATE) as sent:
        assert clone.make("up").status == 0
    assert failures(sent) == []
    assert release(clone) == first
