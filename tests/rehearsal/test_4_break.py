"""The deployment recovers from faults by itself, or an alarm reports them."""

from __future__ import annotations

import time

import docker
import pytest
import requests

from drills.clone import Clone
from drills.runner import DRILLS, run_drill
from healthcheck.__main__ import main as healthcheck
from tests.rehearsal.cloud import NAME, aws, hosts
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.rehearsal


@pytest.mark.parametrize("name", ["host-dies", "container-dies", "balancer-restarts"])
def test_what_breaks_recovers_by_itself(clone: Clone, name: str) -> None:
    """A few of the drills; `make drill` runs them all."""
    result = run_drill(DRILLS[name], clone, patience=10)
    assert result.broken == []
    assert len(result.requests) > 1000


def test_the_alarm_fires_when_the_service_stops_and_recovers_with_it(
    clone: Clone, engine: docker.DockerClient
) -> None:
    await_alarm(engine, "OK")
    balancer = engine.containers.get(f"{NAME}-balancer")
    balancer.stop(timeout=2)
    assert healthcheck([clone.url]) == 2
    await_alarm(engine, "ALARM")
    balancer.start()
    await_alarm(engine, "OK")
    assert healthcheck([clone.url]) == 0


def await_alarm(engine: docker.DockerClient, state: str) -> None:
    """The check runs each minute, and the alarm looks at two of them."""
    cloudwatch, deadline = aws(engine, "cloudwatch"), time.monotonic() + 900
    while time.monotonic() < deadline:
        found = cloudwatch.describe_alarms()["MetricAlarms"]
        (alarm,) = (candidate for candidate in found if candidate["MetricName"] == "Healthy")
        if alarm["StateValue"] == state:
            return
        time.sleep(1)
    raise AssertionError(
        f"the alarm is not {state} but {alarm['StateValue']}: {alarm['StateReason']}"
    )


def test_up_brings_back_an_api_that_was_killed_and_the_same_hosts_serve_on(
    clone: Clone, engine: docker.DockerClient
) -> None:
    before = {host.id for host in hosts(engine)}
    engine.containers.get(f"{NAME}-api").kill()
    done = clone.make("up")
    assert done.status == 0
    assert "Nothing changed" not in done.output
    assert {host.id for host in hosts(engine)} == before
    assert requests.get(f"{clone.url}/now", timeout=PATIENCE).status_code == 200
    again = clone.make("up")
    assert "Nothing changed" in again.output


def test_a_controller_that_hangs_is_not_believed_and_up_starts_it_again(
    clone: Clone, engine: docker.DockerClient
) -> None:
    controller = engine.containers.get(f"{NAME}-controller")
    controller.exec_run(["bash", "-c", "kill -STOP -1"])
    words = "the controller has reported nothing for"
    wait_until(lambda: words in clone.make("status").output)
    assert clone.make("up").status == 0
    assert clone.make("status").status == 0
