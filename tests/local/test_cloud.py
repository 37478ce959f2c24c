"""`python -m local`: what it refuses, with which message and with which exit code."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from botocore.exceptions import EndpointConnectionError
from docker.errors import APIError

from deployment.errors import UserError
from deployment.leftovers import Findings, Leftover
from healthcheck.check import Result
from healthcheck.verdict import Status, Verdict
from local import __main__ as command
from local import down, hosts, launch, project, status, steps, up
from local.containers import Containers as RealContainers
from local.steps import step
from tests.support.waiting import PATIENCE, wait_until


class Containers(RealContainers):
    """A deployment that is not up, or is another clone's."""

    def __init__(self, name: str = "timeservice", port: int = 8080, owner: str | None = None):
        self.name, self.port, self._owner = name, port, owner
        self.left: list[str] = []
        self.removed = 0

    def owner(self) -> str | None:
        return self._owner

    def get(self, role: str) -> Any:
        return None

    def leftovers(self) -> list[str]:
        return self.left

    def get_running(self, role: str) -> Any:
        return None if role in ("api", "balancer") else role

    def remove(self) -> None:
        self.removed += 1
        self.left = self.left[1:]

    def remove_images(self) -> None:
        pass

    def address(self, role: str) -> str:
        raise UserError("it is not up; make up starts it")

    def endpoint(self) -> str:
        return self.address("api")


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Containers:
    cloud = Containers()
    monkeypatch.delenv("TOOLBOX", raising=False)

    def make(name: str, port: int | None = None) -> Containers:
        cloud.name, cloud.port = name, port or 8080
        return cloud

    monkeypatch.setattr(command, "Containers", make)
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    for name in ("NAME", "PORT", "STACK", "ADOPT", "CONFIG", "HOST", "FOLLOW"):
        monkeypatch.delenv(name, raising=False)
    return cloud


def test_a_second_run_at_the_same_time_is_refused(
    containers: Containers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with steps.lock_deployment(tmp_path / "build" / "local"):
        assert command.main(["up"]) == command.main(["down"]) == 2
    assert "another make up or make down is at work" in capsys.readouterr().err
    assert command.main(["down"]) == 0


@pytest.mark.parametrize(
    ("wanted", "present", "root"),
    [
        ("none", [], False),
        ("none", ["timeservice-local-network"], False),
        ("user", [], True),
        ("role", ["timeservice-local-reviewer-role"], True),
        ("none", ["timeservice-local-reviewer-user"], True),  # this stack is deleted
    ],
)
def test_the_deployer_deploys_unless_there_is_a_user_to_make_or_to_remove(
    monkeypatch: pytest.MonkeyPatch, wanted: str, present: list[str], root: bool
) -> None:
    monkeypatch.setattr(up, "list_stacks", lambda _: [{"StackName": name} for name in present])
    settings: Any = SimpleNamespace(reviewer=wanted)
    assert up.needs_root("http://nowhere", settings) is root


def host(group: str, state: str) -> dict[str, str]:
    return {"instance": "i-1", "group": group, "state": state}


def test_up_waits_for_as_many_hosts_as_there_should_be_and_no_other(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At first the third host is missing. Then a host of the previous release still exists."""
    healthy = host("new", "healthy")
    reports = [[healthy] * 2, [healthy] * 3 + [host("old", "draining")], [healthy] * 3]
    monkeypatch.setattr(containers, "hosts", lambda: reports.pop(0), raising=False)
    monkeypatch.setattr(steps.time, "sleep", lambda _: None)  # type: ignore[attr-defined]
    up.wait_for_hosts(containers, "new", 3)
    assert reports == []


def test_up_says_how_many_hosts_it_missed(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = itertools.count(0, 100)
    monkeypatch.setattr(containers, "hosts", lambda: [host("new", "initial")], raising=False)
    monkeypatch.setattr(steps.time, "sleep", lambda _: None)  # type: ignore[attr-defined]
    monkeypatch.setattr(steps.time, "monotonic", lambda: next(times))  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"not 3 healthy hosts within 180 s \(i-1 initial\)"):
        up.wait_for_hosts(containers, "new", 3)


def start_api(
    containers: Containers, monkeypatch: pytest.MonkeyPatch, responds_after: float
) -> bool:
    """Start the local cloud on a machine where each look at the API takes 10 s."""
    times = itertools.count(0, 10)
    monkeypatch.setattr(steps.time, "sleep", lambda _: None)  # type: ignore[attr-defined]
    monkeypatch.setattr(steps.time, "monotonic", lambda: next(times))  # type: ignore[attr-defined]
    monkeypatch.setattr(launch, "build_image", lambda _: "image")
    monkeypatch.setattr(launch, "start", lambda *_: True)
    monkeypatch.setattr(containers, "endpoint", lambda: "http://nowhere")
    monkeypatch.setattr(up, "is_up", lambda _: next(times) > responds_after)
    return up.start(containers)


def test_an_api_that_a_busy_machine_starts_late_is_waited_for(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert start_api(containers, monkeypatch, responds_after=120)


def test_an_api_that_hangs_is_given_up(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="does not respond within 180 s: make logs HOST=api"):
        start_api(containers, monkeypatch, responds_after=1000)


def test_deployments_of_other_names_do_not_wait_for_each_other(
    containers: Containers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", "second")
    with steps.lock_deployment(tmp_path / "build" / "local"):
        assert command.main(["down"]) == 0


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("instancetype=t3.small", "no setting 'instancetype'; did you mean instanceType?"),
        ("minHosts=3 minHosts=4", "minHosts twice"),
        ("instanceType=m5.large", 'make up CONFIG="instanceType=VALUE"'),
        ("quotaCheck=maybe", "quotaCheck"),
        ("minHosts=3", 'make up CONFIG="minHosts=3 maxHosts=3"'),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_started(
    config: str,
    complaint: str,
    containers: Containers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(up, "start", lambda *_: pytest.fail("it was started"))
    monkeypatch.setenv("CONFIG", config)
    assert command.main(["up"]) == 1
    assert complaint in capsys.readouterr().err


def unread(logs: str) -> subprocess.CompletedProcess[str]:
    """Run make logs, which does this, for a reader that has gone."""
    code = f"""from local import __main__ as command
from deployment.errors import UserError
from docker.errors import APIError
command.Containers = lambda *_: None
def logs(*_):
    {logs}
command.logs = logs
raise SystemExit(command.main(["logs"]))"""
    reader, writer = os.pipe()
    os.close(reader)
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    with os.fdopen(writer, "wb") as pipe:
        return subprocess.run(
            [sys.executable, "-c", code], stdout=pipe, stderr=subprocess.PIPE, text=True, env=env
        )


@pytest.mark.parametrize("end", ["return 0", "print('x' * 1_000_000); return 0"])
def test_a_reader_that_has_read_enough_is_no_failure(end: str) -> None:
    """The output may fit into Python's buffer, which is written only at the end."""
    done = unread(f"print('a line'); {end}")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_failed_is_told_though_nobody_reads_the_rest() -> None:
    done = unread("print('a line'); raise UserError('it is not up')")
    assert (done.returncode, done.stderr) == (1, "\nerror: it is not up\n")


@pytest.mark.parametrize("follow", ["", "1"])
def test_logs_of_a_cloud_that_is_not_up_are_an_error_for_people(
    follow: str,
    containers: Containers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(containers, "all", list, raising=False)
    monkeypatch.setenv("FOLLOW", follow)
    assert command.main(["logs"]) == 1
    message = (
        "the local cloud 'timeservice' is not up (no api, no balancer); "
        "make up starts or repairs it"
    )
    assert capsys.readouterr() == ("", f"\nerror: {message}\n")


@pytest.mark.parametrize(
    "trouble",
    [
        requests.ConnectionError("refused"),
        requests.ReadTimeout("late"),
        APIError("no such container"),
    ],
)
def test_an_engine_that_fails_meanwhile_is_told_without_a_traceback(
    trouble: Exception,
    containers: Containers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(*_: object) -> int:
        raise trouble

    monkeypatch.setattr(command, "status", fails)
    assert command.main(["status"]) == 1
    message = f"the Docker engine has stopped or refuses: {trouble}"
    assert capsys.readouterr().err == f"\nerror: {message}\nRun make up when it responds\n"


def test_an_api_that_fails_is_an_error_for_people(
    containers: Containers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise EndpointConnectionError(endpoint_url="http://api")

    monkeypatch.setattr(command, "status", fail)
    assert command.main(["status"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("\nerror: the local AWS API has stopped or refuses: Could not connect")


def test_another_clone_s_deployment_is_left_alone(
    containers: Containers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    containers._owner, containers.left = str(tmp_path / "other"), ["container x"]
    (tmp_path / "other").mkdir()
    assert command.main(["up"]) == command.main(["down"]) == 1
    assert f"belongs to the clone {tmp_path / 'other'}" in capsys.readouterr().err
    assert containers.removed == 0


def test_a_deployment_whose_clone_is_gone_can_be_removed(
    containers: Containers, tmp_path: Path
) -> None:
    containers._owner, containers.left = str(tmp_path / "gone"), ["container x"]
    assert command.main(["down"]) == 0
    assert containers.removed == 1


def test_from_the_toolbox_no_other_clone_is_taken_for_deleted(
    containers: Containers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only this clone is mounted there."""
    monkeypatch.setenv("TOOLBOX", "inside")
    containers._owner, containers.left = "/not/mounted", ["container x"]
    assert command.main(["up"]) == command.main(["down"]) == 1
    assert "add ADOPT=1" in capsys.readouterr().err
    monkeypatch.setenv("ADOPT", "1")
    assert command.main(["down"]) == 0
    assert containers.removed == 1


def test_down_says_when_there_is_nothing_to_do(
    containers: Containers, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["down"]) == 0
    assert capsys.readouterr().out == "Nothing to do: 'timeservice' is not up.\n"
    assert containers.removed == 0


@pytest.mark.parametrize(
    ("is_up", "refusal", "line"),
    [
        (
            False,
            None,
            "not deleted through the API, but with the containers: the local AWS API does not",
        ),
        (
            True,
            UserError("stack x cannot be deleted"),
            "with the containers: stack x cannot be deleted",
        ),
        (
            True,
            EndpointConnectionError(endpoint_url="http://api"),
            "with the containers: Could not connect",
        ),
        (True, None, "what the AWS API has left"),
    ],
)
def test_down_deletes_through_the_api_what_it_can_and_the_containers_in_any_case(
    containers: Containers,
    is_up: bool,
    refusal: Exception | None,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def destroy(*_: Any) -> None:
        if refusal:
            raise refusal

    log_group = Leftover("logs:log-group", "l", "so", "aws logs")
    monkeypatch.setattr(containers, "endpoint", lambda: "http://api", raising=False)
    monkeypatch.setattr(down, "is_up", lambda _: is_up)
    monkeypatch.setattr(down, "destroy", destroy)
    monkeypatch.setattr(down, "find_leftovers", lambda *_: Findings([log_group], []))
    containers.left = ["container x"]
    assert command.main(["down"]) == 0
    out = capsys.readouterr().out
    assert line in out
    assert ("logs:log-group l" in out) is (is_up and refusal is None)
    assert containers.removed == 1


def test_down_fails_when_something_is_left(
    containers: Containers, capsys: pytest.CaptureFixture[str]
) -> None:
    containers.left = ["container x", "volume y"]
    assert command.main(["down"]) == 1
    assert "could not be removed: volume y" in capsys.readouterr().err


def record_checks(monkeypatch: pytest.MonkeyPatch, verdict_status: Status) -> list[tuple[str, int]]:
    """Return the URL and the hosts of each check from now on, which has that status."""
    checks: list[tuple[str, int]] = []

    def check(url: str, *, instances: int, **_: Any) -> Result:
        checks.append((url, instances))
        verdict = Verdict(verdict_status, "error", "as the test says", is_final=True)
        unread: Any = None
        return Result(url, verdict, unread, 1.0, {}, 0.0, unread)

    monkeypatch.setattr(status, "check_service", check)
    return checks


def test_check_runs_the_healthcheck_against_the_local_url_and_returns_its_code(
    containers: Containers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["check"]) == 1
    assert "'timeservice' is not up; make up starts it" in capsys.readouterr().err
    # A draining host need not respond.
    hosts = [{"state": state} for state in ("healthy", "unhealthy", "draining")]
    monkeypatch.setattr(containers, "get", lambda role: role)
    monkeypatch.setattr(containers, "hosts", lambda: hosts)
    checks = record_checks(monkeypatch, "Unknown")
    assert command.main(["check"]) == 3
    assert checks == [("http://127.0.0.1:8080/now", 2)]


def test_a_check_in_the_toolbox_prints_the_url_that_the_user_has(
    containers: Containers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(containers, "get", lambda role: role)
    monkeypatch.setattr(containers, "hosts", list)
    monkeypatch.setattr(containers, "url", lambda: "http://192.0.2.7")
    checks = record_checks(monkeypatch, "Failed")
    assert command.main(["check"]) == 2
    assert checks == [("http://192.0.2.7/now", 1)]
    assert capsys.readouterr().out == "Failed: http://127.0.0.1:8080/now: as the test says\n"


def test_status_of_what_is_not_up_says_what_starts_it(
    containers: Containers, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["status"]) == 1
    assert (
        "is not up (no api, no balancer); make up starts or repairs it" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("name", "target"),
    [
        *((name, name) for name in ("up", "down", "status", "check", "logs", "shell", "reviewer")),
        ("start", "cloud"),
        ("validate", "up"),
    ],
)
def test_a_stack_on_aws_is_not_what_a_local_command_acts_on(
    name: str,
    target: str,
    containers: Containers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STACK", "prod")
    monkeypatch.setattr(command, "Containers", lambda *_: pytest.fail("it acts"))
    assert command.main([name]) == 1
    error = capsys.readouterr().err
    assert f"make {target} is for the deployment on this machine" in error
    assert "pulumi stack output --stack prod" in error


def test_make_up_keeps_its_settings_until_they_are_cleared(tmp_path: Path) -> None:
    """A later make up without CONFIG would delete the reviewer."""
    first = project.merge_config(tmp_path, {"reviewer": "user", "minHosts": "3"})
    project.save_config(tmp_path, first)
    assert project.merge_config(tmp_path, {}) == {"reviewer": "user", "minHosts": "3"}
    second = project.merge_config(tmp_path, {"minHosts": "", "maxHosts": "4"})
    assert second == {"reviewer": "user", "maxHosts": "4"}
    assert project.parse_config(project.format_config(second)) == second


def test_settings_that_are_kept_are_checked_with_those_that_are_given(
    containers: Containers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "build" / "local"
    folder.mkdir(parents=True)
    project.save_config(folder, {"maxHosts": "3"})
    monkeypatch.setenv("CONFIG", "minHosts=3")
    assert command.main(["validate"]) == 0
    monkeypatch.setenv("CONFIG", "minHosts=4")
    assert command.main(["validate"]) == 1
    assert "maxHosts=4" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_at_once_and_says_what_to_run(number: int) -> None:
    """The run ends even while a thread is at work, as the program's threads are."""
    script = (
        "import signal, threading, time\n"
        "from local.__main__ import stop\n"
        f"signal.signal({number:d}, stop)\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        f"signal.raise_signal({number:d})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 130
    assert "Run make up or make down again." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_whose_make_is_killed_ends_with_it_though_nobody_reads_what_it_says() -> None:
    """Otherwise the run would continue unseen, and the next run would be refused."""
    script = (
        "import os, signal, subprocess, sys, threading, time\n"
        "from local.__main__ import end_with_parent, stop\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "end_with_parent()\n"
        "print(os.getpid(), flush=True)\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "time.sleep(600)\n"
    )
    make = subprocess.Popen(
        ["/bin/bash", "-c", '"$0" -c "$1" 2>&1; exit', sys.executable, script],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert make.stdout
    run = Path("/proc") / make.stdout.readline().strip()
    make.stdout.close()
    assert run.exists()
    make.kill()
    make.wait()
    wait_until(lambda: not runs(run))


def runs(process: Path) -> bool:
    """A process that has ended still exists until its parent has waited for it."""
    try:
        return "State:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("arguments", "variables", "complaint"),
    [
        (["sideways"], {}, "invalid choice"),
        (["up"], {"PORT": "http"}, "http is not a port from 1 to 65535"),
        (["up"], {"PORT": "70000"}, "70000 is not a port from 1 to 65535"),
        (["up"], {"PORT": "0"}, "0 is not a port from 1 to 65535"),
        (["up"], {"NAME": "My Name"}, "'My Name' is not a name: give 1 to 31 lower-case letters"),
        ([], {}, "the following arguments are required: command"),
    ],
    ids=str,
)
def test_wrong_usage_is_explained(
    containers: Containers,
    arguments: list[str],
    variables: dict[str, str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_name_and_port_come_from_the_environment(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", "second")
    monkeypatch.setenv("PORT", "8081")
    monkeypatch.setattr(up, "start_alone", lambda *_: 0)
    command.main(["start"])
    assert (containers.name, containers.port) == ("second", 8081)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('{"clock": {"state": "starting", "offset": null, "bound": null}}', "clock starting"),
        (
            '{"clock": {"state": "synchronised", "offset": 0.0012, "bound": 0.0005}}',
            "clock +1.200 ms (+-0.500 ms) synchronised",
        ),
        ("", "clock ? (no response)"),
        ("<html>", "clock ? (no response)"),
        ('{"error": "not found"}', "clock ? (no response)"),
        ("[]", "clock ? (no response)"),
        ('{"clock": "right"}', "clock ? (no response)"),
        ("[" * 100_000, "clock ? (no response)"),
    ],
)
def test_status_tells_the_error_of_a_host_s_clock(answer: str, words: str) -> None:
    assert status.format_clock(answer) == words


@pytest.mark.parametrize(
    ("host", "outputs", "line"),
    [
        (
            {"state": "healthy", "since": 940},
            {"Release": "0123", "Commit": "unknown"},
            "us-east-1a  i-1  release 0123 commit unknown  up 0:15:00  healthy",
        ),
        (
            {"state": "unhealthy", "since": 910, "replaced_at": 49_080},
            {"Release": "0123", "Commit": "0123456789ab+"},
            "us-east-1a  i-1  release 0123 commit 0123456789ab+  up 0:15:00  "
            "unhealthy for 0:01:30, replaced by its group at 13:38:00 UTC at the earliest",
        ),
        (
            {"state": "booting", "since": 995},
            None,
            "us-east-1a  i-1  of a new release  up 0:15:00  booting for 0:00:05",
        ),
        (
            {"state": "draining", "since": 1000},
            None,
            "us-east-1a  i-1  of an old release  up 0:15:00  draining for 0:00:00",
        ),
    ],
)
def test_status_says_of_a_host_what_is_going_on(
    host: dict[str, Any],
    outputs: dict[str, str] | None,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(status.time, "time", lambda: 1000.0)  # type: ignore[attr-defined]
    known = {"instance": "i-1", "zone": "us-east-1a", "replaced_at": None}
    created = status.parse_time("1970-01-01T00:01:40.123456789Z")
    assert status.format_host(known | host, outputs, created) == f"host    {line}"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", "now: starting"),
        ("step: installing Docker\nother words\n", "now: installing Docker"),
        ("step: serving\n", "it restarts the service when 8 checks of /health have failed"),
        (
            "step: serving\nstep: ending this host at 13:38:00 UTC, as a restart did not help\n",
            "now: ending this host at 13:38:00 UTC, as a restart did not help",
        ),
    ],
)
def test_status_says_what_a_host_that_is_not_healthy_does_next(log: str, line: str) -> None:
    machine: Any = SimpleNamespace(logs=lambda tail: log.encode())
    assert status.format_step(hosts.find_step(machine)) == line


def test_the_waiting_line_has_the_step_of_each_host_that_does_not_serve_yet() -> None:
    def machine(zone: str, step: str) -> SimpleNamespace:
        labels = {"timeservice.zone": zone}
        return SimpleNamespace(labels=labels, logs=lambda tail: f"step: {step}\n".encode())

    machines = [
        machine("us-east-1a", "serving"),
        machine("us-east-1a", "installing Docker"),
        machine("us-east-1b", "failed while starting the service"),
    ]
    cloud: Any = SimpleNamespace(machines=lambda: machines)
    line = "a installing Docker, b failed while starting the service"
    assert hosts.format_boots(cloud) == line


def test_status_lists_the_deployment_s_alarms_that_are_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moment = datetime.fromtimestamp(49_080, UTC)
    alarms = [
        {
            "AlarmName": f"{name}-Alarm-1",
            "StateValue": state,
            "StateUpdatedTimestamp": moment,
            "AlarmDescription": "The service is down.",
        }
        for name, state in (
            ("timeservice-local-healthcheck", "ALARM"),
            ("timeservice-local-balancer", "OK"),
            ("another", "ALARM"),
        )
    ]
    pages: Any = SimpleNamespace(paginate=lambda: SimpleNamespace(search=lambda _: alarms))
    status.print_alarms(SimpleNamespace(get_paginator=lambda _: pages))
    assert capsys.readouterr().out == (
        "alarm   timeservice-local-healthcheck-Alarm-1 since 13:38:00 UTC: The service is down.\n"
    )
    alarms[0]["StateValue"] = "OK"
    status.print_alarms(SimpleNamespace(get_paginator=lambda _: pages))
    assert capsys.readouterr().out == "alarm   none of 2\n"


def test_a_step_line_ends_with_its_time_and_outcome_or_with_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with step("first") as line:
        line.outcome = "created"
    with pytest.raises(UserError), step("second"):
        raise UserError
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("  first ")
    assert first.endswith(" s  created")
    assert second.endswith("failed")
