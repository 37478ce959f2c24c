"""The whole deployment in the local cloud, for real: brought up, used, released, broken, and removed, in this order."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

import boto3
import docker
import pytest
import requests
from docker.models.containers import Container

from drills import load
from drills.catalogue import DRILLS
from drills.clone import ROOT, Clone
from drills.load import Request
from drills.stage import play
from healthcheck.__main__ import main as healthcheck
from local.containers import Containers

pytestmark = pytest.mark.rehearsal

# One for each clone: a rehearsal in another one, or a deployment that is up, is not disturbed, and what a rehearsal of
# this one has left behind is found.
NAME = f"rehearsal-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
RATE = 50.0  # requests per second
LABEL: Any = {"label": f"timeservice.deployment={NAME}"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    clone = Clone(tmp_path_factory.mktemp("rehearsal") / "clone", NAME)
    Containers(NAME).remove()  # what a rehearsal that was killed has left
    try:
        yield clone
    finally:
        clone.make("down")
        shutil.rmtree(clone.folder)


@pytest.fixture(autouse=True)
def told(clone: Clone, request: pytest.FixtureRequest) -> Iterator[None]:
    """What the containers said, when a test fails."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        clone.make("logs")


def hosts(engine: docker.DockerClient) -> list[Container]:
    return list(
        engine.containers.list(filters={"label": [LABEL["label"], "timeservice.role=host"]})
    )


def run(host: Container, *command: str) -> tuple[int, str]:
    """Run a command on a host; returns its status and output."""
    result = host.exec_run(list(command))
    assert isinstance(result.output, bytes)
    assert result.exit_code is not None
    return result.exit_code, result.output.decode()


def aws(engine: docker.DockerClient, service: str) -> Any:
    """A client of the local cloud's API."""
    networks = engine.containers.get(f"{NAME}-api").attrs["NetworkSettings"]["Networks"]
    return boto3.client(
        service,
        endpoint_url=f"http://{networks[f'{NAME}-edge']['IPAddress']}:4566",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator takes any key
    )


def stacks(engine: docker.DockerClient) -> dict[str, str]:
    found = aws(engine, "cloudformation").describe_stacks()["Stacks"]
    return {one["StackName"].split("-", 2)[2]: one["StackStatus"] for one in found}


def failures(requests: list[Request]) -> list[Request]:
    return [one for one in requests if one.failed]


def versions(requests: list[Request]) -> set[str]:
    return {one.version for one in requests}


def release(clone: Clone) -> str:
    return str(requests.get(f"{clone.url}/now", timeout=5).json()["version"])


def test_up_mends_what_an_up_that_was_killed_has_left(clone: Clone) -> None:
    killed = clone.start("up")
    assert killed.stdout
    for line in killed.stdout:
        print(line, end="")
        if "artifacts" in line:
            break
    os.killpg(killed.pid, signal.SIGKILL)
    killed.stdout.close()
    killed.wait()
    done = clone.make("up")
    assert done.status == 0
    assert re.search(r"^OK clock .* on 2 instances, limit 1 s", done.output, re.MULTILINE)
    assert f"{clone.url}/now" in done.output


def test_up_again_changes_nothing_and_says_so(clone: Clone, engine: docker.DockerClient) -> None:
    before = {one.id for one in engine.containers.list(filters=LABEL)}
    done = clone.make("up")
    assert done.status == 0
    assert "Nothing changed" in done.output
    assert {one.id for one in engine.containers.list(filters=LABEL)} == before


def test_both_hosts_answer_through_the_balancer(clone: Clone, engine: docker.DockerClient) -> None:
    answers = [requests.get(f"{clone.url}/now", timeout=5).json() for _ in range(40)]
    assert {one["instance"] for one in answers} == {
        host.labels["timeservice.instance"] for host in hosts(engine)
    }
    assert {one["zone"] for one in answers} == {"us-east-1a", "us-east-1b"}
    assert {one["clock"]["state"] for one in answers} == {"synchronised"}
    assert len({one["version"] for one in answers}) == 1


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
    request.url = clone.url + path  # as it stands: requests would tidy it up
    with requests.Session() as session:
        assert session.send(request, timeout=5).status_code == status


def test_exactly_one_port_is_published_and_to_this_machine_only(
    clone: Clone, engine: docker.DockerClient
) -> None:
    published = [
        (one["HostIp"], one["HostPort"])
        for container in engine.containers.list(filters=LABEL)
        for bindings in container.attrs["NetworkSettings"]["Ports"].values()
        for one in bindings or []
    ]
    assert published == [("127.0.0.1", str(clone.port))]


def test_a_host_reaches_its_bucket_and_nothing_else(engine: docker.DockerClient) -> None:
    bucket = aws(engine, "s3").list_buckets()["Buckets"][0]["Name"]
    key = aws(engine, "s3").list_objects_v2(Bucket=bucket, Prefix="images/")["Contents"][0]["Key"]
    api = engine.containers.get(f"{NAME}-api").attrs["NetworkSettings"]["Networks"]
    s3 = "http://cloud.internal:4566"
    host = hosts(engine)[0]

    def status(url: str) -> str:
        return run(host, "curl", "-s", "-m", "3", "-o", "/dev/null", "-w", "%{http_code}", url)[1]

    assert status(f"{s3}/{bucket}/{key}") == "200"
    assert status(f"{s3}/another-bucket/{key}") == "403"
    assert status(f"{s3}/") == "403"
    assert status(f"http://{api[f'{NAME}-edge']['IPAddress']}:4566/") == "000"
    assert "default" not in run(host, "ip", "route")[1]
    assert run(host, "getent", "hosts", "deb.debian.org")[0] != 0


def test_the_service_in_its_container_is_confined(engine: docker.DockerClient) -> None:
    host = hosts(engine)[0]

    def python(code: str) -> tuple[int, str]:
        return run(host, "docker", "exec", "timeservice", "/usr/bin/python3.13", "-c", code)

    assert python("import os; print(os.getuid(), os.getgid())") == (0, "65532 65532\n")
    for forbidden in (
        "open('/app/x', 'w')",  # the file system cannot be written
        "__import__('os').setuid(0)",  # and nobody becomes root
        "__import__('socket').create_connection(('169.254.169.254', 80), timeout=2)",
    ):
        status, output = python(forbidden)
        assert status == 1, forbidden
        assert "Error" in output, output
    assert run(host, "docker", "exec", "timeservice", "sh")[0] != 0  # there is no shell


def test_status_tells_the_stacks_and_the_hosts(clone: Clone) -> None:
    done = clone.make("status")
    assert done.status == 0
    assert done.output.count("CREATE_COMPLETE") == 5
    assert (
        len(re.findall(r"^host .* healthy .* clock [+-]\S+ ms .* synchronised$", done.output, re.M))
        == 2
    )
    assert f"{clone.url}/now" in done.output


def test_the_healthcheck_says_ok_and_its_exit_code_too(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    assert healthcheck([clone.url]) == 0
    assert capsys.readouterr().out.startswith("OK clock ")


def test_a_changed_rule_of_the_balancer_holds_at_once_and_loses_nothing(clone: Clone) -> None:
    def health() -> int:
        return requests.get(f"{clone.url}/health", timeout=5).status_code

    def until(status: int) -> None:
        deadline = time.monotonic() + 10
        while health() != status and time.monotonic() < deadline:
            time.sleep(0.2)
        assert health() == status

    with load.running(f"{clone.url}/now", RATE) as running:
        clone.replace("cfn/balancer.yaml", "Values: [/, /now]", "Values: [/, /now, /health]")
        assert clone.make("up").status == 0
        until(200)
        clone.replace("cfn/balancer.yaml", "Values: [/, /now, /health]", "Values: [/, /now]")
        assert clone.make("up").status == 0
        until(404)
    assert failures(running.requests) == []


def test_a_busy_port_leaves_alone_what_is_up(clone: Clone) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = clone.make("up", PORT=str(taken.getsockname()[1]))
    assert done.status != 0
    assert "choose another" in done.output
    assert requests.get(f"{clone.url}/now", timeout=5).status_code == 200


def test_a_release_under_steady_requests_loses_none(
    clone: Clone, engine: docker.DockerClient
) -> None:
    before, old_hosts = release(clone), {one.id for one in hosts(engine)}
    clone.replace("service/app.py", "<title>Time service</title>", "<title>Time</title>")
    with load.running(f"{clone.url}/now", RATE) as running:
        assert clone.make("up").status == 0
        time.sleep(2)
    assert failures(running.requests) == []
    assert versions(running.requests) == {before, release(clone)}
    assert len(running.requests) > 500
    assert old_hosts.isdisjoint(one.id for one in hosts(engine))
    assert [one for one in stacks(engine) if one.startswith("hosts")] == [f"hosts-{release(clone)}"]
    assert "<title>Time</title>" in requests.get(clone.url, timeout=5).text


def test_a_broken_release_rolls_back_and_tells_why(
    clone: Clone, engine: docker.DockerClient
) -> None:
    before, old_hosts, standing = release(clone), {one.id for one in hosts(engine)}, stacks(engine)
    clone.replace(
        "service/Dockerfile", '["/usr/bin/python3.13", "-m", "gunicorn"', '["/usr/bin/pyhton"'
    )
    with load.running(f"{clone.url}/now", RATE) as running:
        done = clone.make("up")
    assert done.status != 0
    assert "failed while starting the service" in done.output
    assert "/usr/bin/pyhton" in done.output.split("last error:")[1]
    assert "Traceback" not in done.output
    assert failures(running.requests) == []
    assert versions(running.requests) == {before}
    assert stacks(engine) == standing
    assert old_hosts <= {one.id for one in hosts(engine)}


def test_going_back_to_the_release_that_serves_changes_nothing(clone: Clone) -> None:
    clone.replace(
        "service/Dockerfile", '["/usr/bin/pyhton"', '["/usr/bin/python3.13", "-m", "gunicorn"'
    )
    done = clone.make("up")
    assert done.status == 0
    assert "Nothing changed" in done.output


@pytest.mark.parametrize("name", ["host-dies", "container-dies", "balancer-restarts"])
def test_what_breaks_is_mended_by_itself(clone: Clone, name: str) -> None:
    """A few of the drills; `make drill` plays them all."""
    result = play(DRILLS[name], clone)
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
    cloudwatch, deadline = aws(engine, "cloudwatch"), time.monotonic() + 300
    while time.monotonic() < deadline:
        found = cloudwatch.describe_alarms()["MetricAlarms"]
        (alarm,) = (one for one in found if one["MetricName"] == "Healthy")
        if alarm["StateValue"] == state:
            return
        time.sleep(1)
    raise AssertionError(
        f"the alarm is not {state} but {alarm['StateValue']}: {alarm['StateReason']}"
    )


def test_up_mends_a_cloud_whose_api_has_forgotten_everything(
    clone: Clone, engine: docker.DockerClient
) -> None:
    engine.containers.get(f"{NAME}-api").restart(timeout=1)
    done = clone.make("up")
    assert done.status == 0
    assert "Up after" in done.output
    assert requests.get(f"{clone.url}/now", timeout=5).status_code == 200


def test_down_leaves_nothing_and_again_does_nothing(
    clone: Clone, engine: docker.DockerClient
) -> None:
    assert clone.make("down").status == 0
    assert engine.containers.list(all=True, filters=LABEL) == []
    assert engine.volumes.list(filters=LABEL) == []
    assert engine.networks.list(filters=LABEL) == []
    built = hashlib.sha256(str(clone.folder).encode()).hexdigest()[:8]
    assert engine.images.list(filters=LABEL) == []
    assert engine.images.list(filters={"label": f"timeservice.build={built}"}) == []
    assert not (clone.folder / "build" / f"local-{NAME}").exists()
    with pytest.raises(requests.ConnectionError):
        requests.get(clone.url, timeout=5)
    done = clone.make("down")
    assert done.status == 0
    assert "Nothing to do" in done.output
