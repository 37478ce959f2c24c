"""make logs and make shell: which lines in which order and form, and which host a word means."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from deployment.errors import UserError
from local import hosts, logs
from local.containers import Containers

A, B = "i-0aaaaaaaaaaaaaaa0", "i-0bbbbbbbbbbbbbbb0"
HANGS = "a log that does not end"
SERVICE = json.dumps({"level": "warning", "message": "no time server"})


class Container:
    """A container, or a host's with the service inside it, with the lines of their logs."""

    def __init__(self, name: str, *lines: str, service: str = "", status: str = "running") -> None:
        self.name, self.lines, self.status = name, list(lines), status
        self.service, self.requests = service, list[str]()


def machine(instance: str, zone: str, *lines: str, status: str = "running") -> Any:
    service = f"2026-11-28T09:00:01.000000000Z {SERVICE}"
    container: Any = Container(f"test-{instance}", *lines, service=service, status=status)
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

    def endpoint(self) -> str:
        return "http://api"

    def run_docker(self, command: list[str], timeout: float = math.inf, **_: Any) -> Any:
        """Run docker logs, here or in a host's engine. In the engine of a hanging host, the command
        never ends.

        Raises TimeoutExpired, and CalledProcessError.
        """
        *docker, logs, timestamps, choice, name = command
        assert (docker[0], logs, timestamps) == ("docker", "logs", "--timestamps")
        inside = docker[2] if docker[1:2] == ["exec"] else name
        for container in self.all():
            if container.name == inside:
                container.requests.append(f"{name} {choice}")
                lines = container.lines if inside == name else [container.service]
                if lines == [HANGS] and timeout < math.inf:
                    raise subprocess.TimeoutExpired(command, timeout)
                if any(lines):
                    return SimpleNamespace(stdout="".join(f"{line}\n" for line in lines).encode())
        raise subprocess.CalledProcessError(1, command, "Error: No such container\n")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud(
        machine(A, "us-east-1a", "2026-11-28T09:00:02.000000000Z user data ended with status 1"),
        machine(B, "us-east-1b", "2026-11-28T09:00:00.500000000Z starting"),
        api=Container("test-api"),
        time=Container("test-time"),
        balancer=Container(
            "test-balancer", "2026-11-29T10:00:00.000000000Z Server targets/host1 is DOWN"
        ),
        controller=Container("test-controller"),
    )
    monkeypatch.setattr(logs.subprocess, "run", cloud.run_docker)  # type: ignore[attr-defined]
    verdict = '{"status": "Failed", "detail": "the connection is refused", "url": "http://x"}'
    monkeypatch.setattr(logs, "list_stacks", lambda _: [])
    moment = datetime(2026, 11, 28, 9, 0, 1, 250_000, UTC).timestamp()
    monkeypatch.setattr(logs, "read_log", lambda *_: [(int(moment * 1000), verdict)])
    return cloud


def test_every_line_says_when_and_whose_and_they_are_in_the_order_of_time(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert logs.logs(cloud, "", follow=False) == 0
    assert capsys.readouterr().out.splitlines() == [
        "--- 2026-11-28, UTC",
        "09:00:00.500  b i-0bbbbbbb boot     starting",
        "09:00:01.000  a i-0aaaaaaa service  WARNING no time server",
        "09:00:01.000  b i-0bbbbbbb service  WARNING no time server",
        "09:00:01.250  function              Failed the connection is refused",
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
        ("function", ["function"]),
    ],
)
def test_one_host_or_one_part_can_be_asked_for(cloud: Cloud, word: str, names: list[str]) -> None:
    assert [source.name for source in logs.list_sources(cloud, word)] == names


def test_a_host_that_has_ended_still_has_the_log_of_its_boot() -> None:
    cloud = Cloud(machine(A, "us-east-1a", status="exited"))
    assert [source.name for source in logs.list_sources(cloud, "a")] == ["a i-0aaaaaaa boot"]


def test_a_container_that_has_gone_since_and_a_service_that_has_not_started_have_no_lines(
    cloud: Cloud,
) -> None:
    boot, service = logs.list_sources(cloud, "a")
    cloud.there[0].service = ""
    assert boot.read(30, "") != []
    assert service.read(30, "") == []
    cloud.there.clear()
    assert boot.read(30, "") == []


def test_a_host_whose_engine_hangs_has_no_lines_of_its_service(cloud: Cloud) -> None:
    boot, service = logs.list_sources(cloud, "a")
    cloud.there[0].service = HANGS
    assert service.read(30, "") == []
    assert boot.read(30, "") != []


def test_a_line_with_progress_is_shown_whole(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.parts["balancer"].lines = ["2026-11-28T09:00:00.000000000Z 1 %\r2 %\r"]
    logs.logs(cloud, "balancer", follow=False)
    assert capsys.readouterr().out.endswith("  1 %\\r2 %\n")


def test_the_last_lines_are_asked_for_and_more_of_a_single_source(cloud: Cloud) -> None:
    list(logs.read_all(cloud, "", follow=False))
    list(logs.read_all(cloud, "a", follow=False))
    assert cloud.there[0].requests == [
        f"test-{A} --tail=30",
        "timeservice --tail=30",
        f"test-{A} --tail=300",
        "timeservice --tail=300",
    ]


def test_logs_of_what_is_not_up_say_what_starts_it() -> None:
    with pytest.raises(UserError, match=r"is not up .*; make up starts or repairs it"):
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
    assert len([next(lines) for _ in range(6)]) == 6
    balancer = cloud.parts["balancer"]
    balancer.lines.append("2026-11-29T10:00:00.000000001Z Server targets/host1 is UP")
    new = machine("i-0cccccccccccccccc", "us-east-1a", "2026-11-29T10:00:03.000000000Z starting")
    new.service = ""
    cloud.there.append(new)
    texts = [f"{line.source}: {line.text}" for line in (next(lines), next(lines))]
    assert texts == ["balancer: Server targets/host1 is UP", "a i-0ccccccc boot: starting"]
    assert balancer.requests[-1] == "test-balancer --since=2026-11-29T10:00:00.000000000Z"
    assert cloud.there[0].requests[-1] == "timeservice --since=2026-11-28T09:00:01.000000000Z"


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


@pytest.mark.parametrize("word", ["a", A, A[:6]])
def test_a_host_is_found_by_its_zone_or_the_beginning_of_its_id(cloud: Cloud, word: str) -> None:
    assert [host.name for host in hosts.find_hosts(cloud, word)] == [f"test-{A}"]


@pytest.mark.parametrize("word", ["", "c", "i", "1"])
def test_a_host_that_does_not_exist_is_refused_with_those_that_do(cloud: Cloud, word: str) -> None:
    message = f"no host is called {word!r}; HOST= is one of: a {A}, b {B}"
    with pytest.raises(UserError, match=message):
        hosts.find_hosts(cloud, word)


def test_a_word_that_means_nothing_is_refused_with_all_that_mean_something(cloud: Cloud) -> None:
    known = f"HOST= is one of: a {A}, b {B}, api, time, balancer, controller, function"
    with pytest.raises(UserError, match=known):
        logs.list_sources(cloud, "x")
    cloud.there.clear()
    with pytest.raises(UserError, match="HOST= is one of: api, time"):
        logs.list_sources(cloud, "x")


def test_the_function_has_no_lines_while_the_api_does_not_respond(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = logs.list_sources(cloud, "function")
    assert len(source.read(30, "")) == 1
    assert source.read(30, "2026-11-28T09:00:01.250000000Z") == []

    def refuse(_: str) -> Any:
        raise EndpointConnectionError(endpoint_url="http://api")

    monkeypatch.setattr(logs, "list_stacks", refuse)
    assert source.read(30, "") == []


def test_lambda_s_own_lines_are_left_out_of_the_function_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def page(**request: Any) -> Any:
        assert request["logGroupName"] == "group"
        messages = ["START RequestId: 1", '{"status": "OK"}', "no check was made: x\n", "END x"]
        events = [
            {"timestamp": 9 - number, "message": message} for number, message in enumerate(messages)
        ]
        return SimpleNamespace(search=lambda _: events)

    logs_api = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=page))
    stacks = [{}, {"Outputs": [{"OutputKey": "LogGroup", "OutputValue": "group"}]}]
    monkeypatch.setattr(logs, "client", lambda *_: logs_api)
    assert logs.read_log("http://api", stacks) == [
        (7, "no check was made: x"),
        (8, '{"status": "OK"}'),
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"status": "OK", "detail": "clock +1 ms", "samples": 8}', "OK clock +1 ms"),
        ("no check was made: KeyError()", "no check was made: KeyError()"),
        ("[1]", "[1]"),
    ],
)
def test_a_verdict_is_its_status_and_its_detail(text: str, shown: str) -> None:
    assert logs.format_verdict(text) == shown


def test_without_hosts_the_refusal_is_that_there_are_none() -> None:
    with pytest.raises(UserError, match="there are no hosts"):
        hosts.find_hosts(Cloud(), "a")


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Record the command that would replace the process, and do not run it."""
    commands: list[tuple[str, ...]] = []

    def exec_(_: str, command: list[str]) -> None:
        commands.append(tuple(command))
        raise SystemExit

    monkeypatch.setattr(hosts.os, "execvp", exec_)  # type: ignore[attr-defined]
    return commands


def test_a_shell_on_a_terminal_has_one(
    cloud: Cloud, become: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    with pytest.raises(SystemExit):
        hosts.shell(cloud, "a", "")
    assert become == [("docker", "exec", "--interactive", "--tty", f"test-{A}", "bash")]


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
    with pytest.raises(UserError, match=rf"{A} does not run \(exited\); see make logs HOST=a"):
        hosts.shell(cloud, "a", "")
    with pytest.raises(UserError, match=f"several hosts are called 'i-0'; .*: a {A}, b {B}"):
        hosts.shell(cloud, "i-0", "")
    assert become == []
