"""An attacker in the service's container finds nothing in it, and no way out.

Each probe also runs in a container of the same image, without the options of `docker run` in
cfn/hosts.yaml. There it must find what the service's container lacks: a probe that finds nothing
anywhere proves nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import docker
import pytest
from docker.models.containers import Container

from drills import load
from drills.clone import Clone
from drills.outcome import failures
from tests.rehearsal.cloud import NAME, ask_until_each_host_responds, hosts, run
from tests.rehearsal.probes import (
    BOMB,
    HOG,
    LOOSE,
    LOOSE_OPTIONS,
    PROBES,
    PYTHON,
    REACHED,
    SMALL_HOGS,
    Probe,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rehearsal

SECRET = re.compile(r"AKIA|ASIA|PRIVATE KEY|(?i:password|passwd|secret|token|credential)")


@pytest.fixture
def host(engine: docker.DockerClient) -> Container:
    return hosts(engine)[0]


@pytest.fixture(scope="module")
def loose(engine: docker.DockerClient) -> Iterator[str]:
    """A container without any option that confines, on the same host."""
    host = hosts(engine)[0]
    image = inspect_container(host, "{{.Config.Image}}")
    options = ("--detach", "--name", "loose", "--entrypoint", PYTHON, *LOOSE_OPTIONS)
    status, output = run(host, "docker", "run", *options, image, "-c", LOOSE)
    assert status == 0, output
    try:
        yield "loose"
    finally:
        run(host, "docker", "rm", "--force", "loose")


def inspect_container(host: Container, what: str) -> str:
    status, output = run(host, "docker", "inspect", "--format", what, "timeservice")
    assert status == 0, output
    return output.strip()


def python(host: Container, code: str, container: str = "timeservice") -> tuple[int, str]:
    """Run Python in that container, because it has no other program."""
    return run(host, "docker", "exec", container, PYTHON, "-c", code)


ALL = (
    "import json, subprocess; print(json.dumps([subprocess.run([{python!r}, '-c', code], "
    "capture_output=True, text=True).stdout.strip() for code in {codes!r}]))"
)


@pytest.fixture(scope="module")
def answers(engine: docker.DockerClient, loose: str) -> dict[str, tuple[str, str]]:
    """Return, for each probe, its output in the service's container and in the loose one."""
    code = ALL.format(python=PYTHON, codes=[probe.code for probe in PROBES])
    found = [
        json.loads(python(hosts(engine)[0], code, container)[1])
        for container in ("timeservice", loose)
    ]
    return {
        probe.question: (confined, unconfined)
        for probe, confined, unconfined in zip(PROBES, *found, strict=True)
    }


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.question)
def test_the_container_has_what_it_needs_and_nothing_else(
    probe: Probe, answers: dict[str, tuple[str, str]]
) -> None:
    confined, loose = answers[probe.question]
    assert confined == probe.confined
    assert loose != probe.confined
    assert probe.loose in loose


def test_system_calls_are_filtered_by_the_engine_s_own_profile(host: Container) -> None:
    """The engine of a host here is Debian's, in a container; on AWS, that of Amazon Linux."""
    status, options = run(host, "docker", "info", "--format", "{{json .SecurityOptions}}")
    assert status == 0
    assert any("name=seccomp" in option for option in json.loads(options)), (
        "this engine filters no system calls, so that nothing of it can be shown here"
    )
    assert inspect_container(host, "{{json .HostConfig.SecurityOpt}}") == '["no-new-privileges"]'
    assert inspect_container(host, "{{.HostConfig.Privileged}}") == "false"


def test_there_is_no_shell_no_package_manager_no_compiler(host: Container) -> None:
    """The probe of programs finds none of them. This test tries to run them."""
    for program in ("sh", "bash", "/bin/sh", "busybox", "apt-get", "dpkg", "cc", "curl"):
        status, output = run(host, "docker", "exec", "timeservice", program, "--version")
        assert status in (126, 127), output
        assert re.search("not found|no such file", output), output
    assert run(host, "docker", "exec", "timeservice", PYTHON, "--version")[0] == 0


def test_no_secret_is_in_the_image_or_in_what_it_is_started_with(host: Container) -> None:
    image = inspect_container(host, "{{.Image}}")
    config = run(host, "docker", "image", "inspect", "--format", "{{json .Config}}", image)[1]
    started = inspect_container(
        host, "{{json .Config.Env}} {{json .Config.Cmd}} {{json .Args}} {{json .Mounts}}"
    )
    assert "gunicorn" in config
    assert "65532:65532" in config
    assert "TIMESERVICE_INSTANCE" in started
    for text in (config, started):
        assert SECRET.findall(text) == []
    assert SECRET.findall("AWS_SECRET_ACCESS_KEY=x")
    assert json.loads(config)["Env"] == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH=/app/site-packages:/app",
        "PYTHONUNBUFFERED=1",
        "PYTHONDONTWRITEBYTECODE=1",
        "PYTHONTZPATH=",
    ]


def test_it_reaches_the_time_server_and_no_metadata_no_network_no_name(
    engine: docker.DockerClient, host: Container
) -> None:
    """A rule that drops a container's packets replaces the hop limit; networks without a way out
    replace security groups and routes. The S3 endpoint is reachable, without credentials for it."""
    assert (
        python(host, "import sntp; print(abs(sntp.ask('169.254.169.123').offset) < 9)")[1]
        == "True\n"
    )
    token = [
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-m",
        "3",
        "-w",
        "%{http_code}",
        "-X",
        "PUT",
        "http://169.254.169.254/latest/api/token",
    ]
    assert run(host, *token, "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60")[1] == "200"
    networks = engine.containers.get(f"{NAME}-api").attrs["NetworkSettings"]["Networks"]
    api = networks[f"{NAME}-edge"]["IPAddress"]
    (other,) = (candidate for candidate in hosts(engine) if candidate.id != host.id)
    (neighbour,) = (
        network["IPAddress"] for network in other.attrs["NetworkSettings"]["Networks"].values()
    )
    places = [
        *(
            ("169.254.169.254", 80),
            ("1.1.1.1", 443),
            ("8.8.8.8", 53),
            ("2606:4700:4700::1111", 443),
        ),
        *((api, 4566), (neighbour, 80), "example.com", "cloud.internal", "host.docker.internal"),
    ]
    # These are open, which the probe must find.
    own: list[object] = [("127.0.0.1", 8080), "localhost"]
    _, reached = python(host, REACHED.format(places=[*places, *own]))
    assert sorted(reached.splitlines()) == sorted(str(address) for address in own)


def healthy(host: Container) -> bool:
    curl = "curl -s -o /dev/null -m 4 -w %{http_code} http://127.0.0.1/health"
    return run(host, *curl.split())[1] == "200"


class Attacked(NamedTuple):
    output: str  # the attack's status and output
    requests: list[load.Request]  # requests of other clients meanwhile
    same: bool  # whether the container is the one that was started before


def attack(clone: Clone, host: Container, code: str) -> Attacked:
    started = inspect_container(host, "{{.State.StartedAt}}")
    with load.run_load(f"{clone.url}/now", 20) as sent:
        status, output = python(host, code)
        wait_until(lambda: healthy(host))
        time.sleep(1)
    same = inspect_container(host, "{{.State.StartedAt}}") == started
    done = Attacked(f"{status} {output.strip()}", sent, same)
    print(f"{done.output!r}; {len(failures(done.requests))} of {len(done.requests)} lost")
    return done


def test_a_fork_bomb_gets_no_further_than_the_limit_and_is_not_noticed(
    clone: Clone, host: Container, loose: str
) -> None:
    bomb = attack(clone, host, BOMB)
    forked = re.fullmatch(r"0 (\d+) Resource temporarily unavailable", bomb.output)
    assert forked
    assert 40 < int(forked[1]) < 64  # the limit includes the service's own processes and threads
    assert bomb.same
    assert failures(bomb.requests) == []
    assert python(host, BOMB, loose)[1] == "150 nothing\n"


def test_a_memory_hog_is_killed_at_the_limit_and_is_not_noticed(
    clone: Clone, host: Container, loose: str
) -> None:
    hog = attack(clone, host, HOG)
    assert hog.output == "137 "
    assert hog.same
    assert failures(hog.requests) == []
    assert python(host, HOG, loose)[1] == "400 MB\n"


def test_many_small_hogs_may_end_the_service_which_docker_restarts_while_the_other_host_serves(
    clone: Clone, host: Container
) -> None:
    """The kernel ends the largest process, which is then one of the service's. With the first
    process the container ends, and Docker starts it again (--restart always)."""
    hogs = attack(clone, host, SMALL_HOGS)
    assert not hogs.same
    # Docker counts no restart but its own.
    assert int(inspect_container(host, "{{.RestartCount}}")) > 0
    instance = host.labels["timeservice.instance"]
    others = [
        request
        for request in hogs.requests
        if not request.has_failed and request.instance != instance
    ]
    assert len(others) > 0.4 * len(hogs.requests)
    assert len(failures(hogs.requests)) < 0.5 * len(hogs.requests)


def test_after_all_that_the_deployment_is_as_it_was(
    clone: Clone, engine: docker.DockerClient, host: Container
) -> None:
    wait_until(lambda: all(healthy(host) for host in hosts(engine)))
    assert python(host, "import os; print(*os.listdir('/dev/shm'))") == (0, "\n")  # nothing is left
    ask_until_each_host_responds(clone, engine)
