"""The deployment comes up, and serves what it shall."""

from __future__ import annotations

import os
import re
import signal

import docker
import pytest
import requests

from drills.clone import Clone
from healthcheck.__main__ import main as healthcheck
from tests.rehearsal.cloud import LABEL, NAME, aws, hosts, run

pytestmark = pytest.mark.rehearsal


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

    def answer(url: str) -> str:
        return run(host, "curl", "-s", "-m", "3", "-w", "%{http_code}", url)[1]

    # To its own bucket, S3 says no to whoever has no role; to others, the endpoint.
    assert run(host, "aws", "s3", "cp", f"s3://{bucket}/{key}", "/dev/null")[0] == 0
    own, another = answer(f"{s3}/{bucket}/{key}"), answer(f"{s3}/another-bucket/{key}")
    assert own.endswith("403")
    assert "<Code>AccessDenied</Code>" in own
    assert another.endswith("403")
    assert "<Code>" not in another
    assert answer(f"{s3}/") == another
    assert answer(f"http://{api[f'{NAME}-edge']['IPAddress']}:4566/") == "000"
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
