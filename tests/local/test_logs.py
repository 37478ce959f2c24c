"""make logs and make shell: which lines in which order and form, and which host a word means."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from deployment.errors import UserError
from local import hosts, logs
from local.containers import Containers

A, B = "i-0aaaaaaaaaaaaaaa0", "i-0bbbbbbbbbbbbbbb0"
SERVICE = json.dumps({"level": "warning", "message": "no time server"})


class Container:
    """A container, or a host's with the service inside it, with the lines of their logs."""

    def __init__(self, name: str, *lines: str, service: str = "", status: str = "running") -> None:
        self.name, self.lines, self.status = name, list(lines), status
        self.service, self.requests = service, list[Any]()

    def logs(self, **options: Any) -> bytes:
        self.requests.append(options)
        if self.status == "removed":
            raise APIError("no such container")
        return b"".join(line.encode() + b"\n" for line in self.lines)

    def exec_run(self, command: list[str]) -> Any:
        self.requests.append(command)
        assert command[-1] == "timeservice"
        output = self.service or "Error response from daemon: No such container"
        return SimpleNamespace(exit_code=int(not self.service), output=output.encode() + b"\n")


def machine(instance: str, zone: str, *lines: str, status: str = "running") -> Any:
    service = f"2026-11-28T09:00:01.000000000Z {SERVICE}"
    container: Any = Container(f"test-{instance}", *lines, service=service, status=status)
    container.id = f"c0ffee{instance}"
    container.labels = {"timeservice.instance": instance, "timeservice.zone": zone}
    return container


class Cloud(Containers):
    """A deployment with these hosts and parts."""

    def __init__(self, *machines: Any, **parts: Any) -> None:
        self.name, self.there, self.parts = "test", list(machines), parts

    def all(self) -> list[Any]:
        return [*self.there, *self.parts.values()]

    def get(self, role: str) -> Any:
        return self.parts.get(role)

    def machines(self) -> list[Any]:
        return self.there


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(
        machine(A, "us-east-1a", "2026-11-28T09:00:02.000000000Z user data ended with status 1"),
        machine(B, "us-east-1b", "2026-11-28T09:00:00.500000000Z starting"),
        api=Container("test-api"),
        time=Container("test-time"),
        balancer=Container(
            "test-balancer", "2026-11-29T10:00:00.000000000Z Server targets/host1 is DOWN"
        ),
        controller=Container("test-controller"),
    )


def test_every_line_says_when_and_whose_and_they_are_in_the_order_of_time(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert logs.logs(cloud, "", follow=False) == 0
    assert capsys.readouterr().out.splitlines() == [
        "--- 2026-11-28, UTC",
        "09:00:00.500  b i-0bbbbbbb boot     starting",
        "09:00:01.000  a i-0aaaaaaa service  WARNING no time server",
        "09:00:01.000  b i-0bbbbbbb service  WARNING no time server",
        "09:00:02.000  a i-0aaaaaaa boot     user data ended with status 1",
        "--- 2026-11-29, UTC",
        "10:00:00.000  balancer              Server targets/host1 is DOWN",
    ]


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("a", ["a i-0aaaaaaa boot", "a i-0aaaaaaa service"]),
        (B, ["b i-0bbbbbbb boot", "b i-0bbbbbbb service"]),
        ("controller", ["controller"]),
    ],
)
def test_one_host_or_one_part_can_be_asked_for(cloud: Cloud, word: str, names: list[str]) -> None:
    assert [source.name for source in logs.list_sources(cloud, word)] == names


def test_a_host_that_has_ended_still_has_the_log_of_its_boot() -> None:
    cloud = Cloud(machine(A, "us-east-1a", status="exited"))
    assert [source.name for source in logs.list_sources(cloud, "a")] == ["a i-0aaaaaaa boot"]


def test_a_container_that_has_gone_since_and_a_service_that_has_not_started_have_no_lines() -> None:
    gone: Any = machine(A, "us-east-1a", "2026-11-28T09:00:02Z x", status="removed")
    assert logs.Source("boot", gone).read(30, "") == []
    gone.service = ""
    assert logs.Source("service", gone, "timeservice").read(30, "") == []


def test_a_line_with_progress_is_shown_whole(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.parts["balancer"].lines = ["2026-11-28T09:00:00.000000000Z 1 %\r2 %\r"]
    logs.logs(cloud, "balancer", follow=False)
    assert capsys.readouterr().out.endswith("  1 %\\r2 %\n")


def test_the_last_lines_are_asked_for_and_more_of_a_single_source(cloud: Cloud) -> None:
    list(logs.read_all(cloud, "", follow=False))
    list(logs.read_all(cloud, "a", follow=False))
    boot, service, *single = cloud.there[0].requests
    assert boot == {"timestamps": True, "tail": 30}
    assert service == ["docker", "logs", "--timestamps", "--tail=30", "timeservice"]
    assert single[0] == {"timestamps": True, "tail": 300}


def test_logs_of_what_is_not_up_say_what_starts_it() -> None:
    with pytest.raises(UserError, match=r"is not up .*; `make up` starts or repairs it"):
        logs.logs(Cloud(), "", follow=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            '{"time": "2026-11-28T09:00:00Z", "level": "info", '
            '"message": "is right", "offset": 0.001, '
            '"server": null, "reason": "two words", "state": "on time"}',
            'INFO is right offset=0.001 server=null reason="two words" state="on time"',
        ),
        (
            '{"level": "error", "message": "bad", "traceback": "one\\n  two"}',
            "ERROR bad\n    one\n      two",
        ),
        ('{"level": "info", "message": "\\u001b[2J"}', "INFO \\x1b[2J"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("[2026-11-28 09:03:41 +0000] [1] [INFO] Starting", "[1] [INFO] Starting"),
        ("2026-11-28T09:03:26Z chronyd starting", "chronyd starting"),
        ('{"not": "ours"}', '{"not": "ours"}'),
        ("[1, 2]", "[1, 2]"),
        ("null", "null"),
        ("[" * 16_000, "[" * 16_000),
    ],
)
def test_a_line_is_for_people_and_cannot_move_the_cursor(text: str, shown: str) -> None:
    assert logs.format_text(text) == shown


@pytest.fixture
def lines(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[logs.Line]:
    """The lines of all sources as they come."""
    monkeypatch.setattr(logs.signal, "signal", lambda *_: None)  # type: ignore[attr-defined]
    monkeypatch.setattr(logs.time, "sleep", lambda _: None)  # type: ignore[attr-defined]
    return logs.read_all(cloud, "", follow=True)


def test_each_line_is_shown_once_as_it_comes_and_new_hosts_are_followed_too(
    lines: Iterator[logs.Line], cloud: Cloud
) -> None:
    assert len([next(lines) for _ in range(5)]) == 5
    balancer = cloud.parts["balancer"]
    balancer.lines.append("2026-11-29T10:00:00.000000001Z Server targets/host1 is UP")
    new = machine("i-0cccccccccccccccc", "us-east-1a", "2026-11-29T10:00:03.000000000Z starting")
    new.service = ""
    cloud.there.append(new)
    texts = [f"{line.source}: {line.text}" for line in (next(lines), next(lines))]
    assert texts == ["balancer: Server targets/host1 is UP", "a i-0ccccccc boot: starting"]
    # 2026-11-29T10:00:00Z, in seconds since 1970.
    assert balancer.requests[-1] == {"timestamps": True, "since": 1795946400}
    assert cloud.there[0].requests[-1][3] == "--since=1795856401"


def test_a_host_that_is_followed_may_go_and_its_successor_is_followed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs.signal, "signal", lambda *_: None)  # type: ignore[attr-defined]
    rounds = iter(
        [
            [],
            [machine("i-0dddddddddddddddd", "us-east-1a", "2026-11-29T10:00:03.000000000Z new")],
        ]
    )

    def sleep(_: float) -> None:
        cloud.there = next(rounds)

    monkeypatch.setattr(logs.time, "sleep", sleep)  # type: ignore[attr-defined]
    lines = logs.read_all(cloud, "a", follow=True)
    assert [next(lines).text for _ in range(3)][1:] == ["user data ended with status 1", SERVICE]


@pytest.mark.parametrize("word", ["1", "a", "us-east-1a", A, A[:6], A[2:8], f"c0ffee{A}"[:11]])
def test_a_host_is_found_by_number_zone_or_id(cloud: Cloud, word: str) -> None:
    assert hosts.find_host(cloud, word, "shell").instance == A


@pytest.mark.parametrize(
    ("word", "wrong"),
    [("", "say which host"), ("c", "no host is called 'c'"), ("i-0", "2 hosts are called 'i-0'")],
)
def test_a_host_that_is_not_meant_clearly_is_refused_with_those_that_there_are(
    cloud: Cloud, word: str, wrong: str
) -> None:
    with pytest.raises(UserError) as refused:
        hosts.find_host(cloud, word, "shell")
    lines = str(refused.value).splitlines()
    assert lines[0].startswith(wrong)
    assert [line.split()[:3] for line in lines[2:4]] == [["1", "a", A], ["2", "b", B]]
    assert lines[4] == f"Such as: make shell HOST={A}"


def test_without_hosts_it_says_so() -> None:
    with pytest.raises(UserError, match="there are no hosts"):
        hosts.find_host(Cloud(), "a", "shell")


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the process turned into, instead of turning into it."""
    commands: list[tuple[str, ...]] = []

    def exec_(_: str, command: list[str]) -> None:
        commands.append(tuple(command))
        raise SystemExit

    monkeypatch.setattr(hosts.os, "execvp", exec_)  # type: ignore[attr-defined]
    return commands


def test_a_shell_greets_on_a_terminal_and_says_that_the_service_has_none(
    cloud: Cloud,
    become: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    with pytest.raises(SystemExit):
        hosts.shell(cloud, "a", "")
    assert become == [("docker", "exec", "--interactive", "--tty", f"test-{A}", "bash")]
    assert "The service's container has no shell" in capsys.readouterr().out


def test_one_command_runs_on_a_host_without_a_word_of_ours(
    cloud: Cloud, become: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        hosts.shell(cloud, "b", "docker ps | wc -l")
    (command,) = become
    assert command[2:] == ("--interactive", f"test-{B}", "bash", "-c", "docker ps | wc -l")
    assert capsys.readouterr().out == ""


def test_there_is_no_shell_on_a_host_that_has_ended(
    cloud: Cloud, become: list[tuple[str, ...]]
) -> None:
    cloud.there[0].status = "exited"
    with pytest.raises(UserError, match=rf"does not run \(exited\); make logs HOST={A}"):
        hosts.shell(cloud, "a", "")
    assert become == []
