"""make logs and make shell: whose lines, in which order and form; which host is meant, and what is said else."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest

from deployment.errors import UserError
from local import hosts, logs, shell
from local.containers import Containers

A, B = "i-0aaaaaaaaaaaaaaa0", "i-0bbbbbbbbbbbbbbb0"

# Answers as the engine of this machine, or of a host, and notes what was asked.
DOCKER = """#!/bin/bash
echo "$*" >>"$0.asked"
case "$*" in
*timeservice) echo "2026-11-28T09:00:01.000000000Z $SERVICE" ;;
*test-i-0a*) echo '2026-11-28T09:00:02.000000000Z user data ended with status 1' ;;
*test-i-0b*) echo '2026-11-28T09:00:00.500000000Z starting' ;;
*test-balancer) echo '2026-11-29T10:00:00.000000000Z Server targets/host1 is DOWN' >&2 ;;
*) echo 'Error response from daemon: No such container' >&2; exit 1 ;;
esac
"""


def machine(instance: str, zone: str, status: str = "running") -> Any:
    labels = {"timeservice.instance": instance, "timeservice.zone": zone}
    return SimpleNamespace(
        name=f"test-{instance}", id=f"c0ffee{instance}", labels=labels, status=status
    )


class Cloud(Containers):
    def __init__(self, *machines: Any) -> None:
        self.name, self.there = "test", list(machines)

    def all(self) -> list[Any]:
        return self.there

    def get(self, role: str) -> Any:
        return SimpleNamespace(status="running") if self.there else None

    def machines(self) -> list[Any]:
        return self.there


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its arguments, a call a line."""
    stub = tmp_path / "docker"
    stub.write_text(DOCKER)
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SERVICE", json.dumps({"level": "warning", "message": "no time server"}))
    return tmp_path / "docker.asked"


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(machine(A, "us-east-1a"), machine(B, "us-east-1b"))


def test_every_line_says_when_and_whose_and_they_are_in_the_order_of_time(
    docker: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str]
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
    assert [one.name for one in logs.sources(cloud, word)] == names


def test_a_host_that_has_ended_still_tells_of_its_boot() -> None:
    cloud = Cloud(machine(A, "us-east-1a", "exited"))
    assert [one.name for one in logs.sources(cloud, "a")] == ["a i-0aaaaaaa boot"]


def test_what_is_typed_meanwhile_is_for_the_shell(docker: Path, cloud: Cloud) -> None:
    docker.with_suffix("").write_text("#!/bin/bash\ncat\n")
    reader, writer = os.pipe()
    os.write(writer, b"typed\n")
    os.close(writer)
    own = os.dup(0)
    os.dup2(reader, 0)
    try:
        assert logs.logs(cloud, "", follow=False) == 0
        assert os.read(0, 10) == b"typed\n"
    finally:
        os.dup2(own, 0)
        os.close(own)
        os.close(reader)


def test_progress_that_is_told_in_one_line_is_shown_whole(
    docker: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    stub = "#!/bin/bash\nprintf '2026-11-28T09:00:00.000000000Z 1 %%\\r2 %%\\r\\n'\n"
    docker.with_suffix("").write_text(stub)
    logs.logs(cloud, "balancer", follow=False)
    assert capsys.readouterr().out.endswith("  1 %\\r2 %\n")


def test_logs_of_what_is_not_up_say_what_starts_it() -> None:
    with pytest.raises(UserError, match=r"is not up .*; `make up` starts or mends it"):
        logs.logs(Cloud(), "", follow=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            '{"time": "2026-11-28T09:00:00Z", "level": "info", "message": "is right", "offset": 0.001, '
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
    assert logs.readable(text) == shown


@pytest.fixture
def followed(docker: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[logs.Line]:
    monkeypatch.setattr(logs.signal, "signal", lambda *_: None)  # type: ignore[attr-defined]
    monkeypatch.setattr(logs, "ROUND", 0.05)
    monkeypatch.setattr(logs, "AGAIN", 0.05)
    return logs._followed(cloud, "")


def test_who_follows_is_told_each_line_once_and_of_hosts_that_come(
    followed: Iterator[logs.Line], cloud: Cloud
) -> None:
    """The stub ends at once and is asked again, as a container that starts again is: it repeats its last line."""
    new = "i-0accccccccccccccc"
    seen = [next(followed) for _ in range(5)]
    cloud.there.append(machine(new, "us-east-1a"))
    seen += [next(followed) for _ in range(2)]
    names = [f"{line.source}: {line.text[:4]}" for line in seen]
    assert len({*names}) == 7
    assert set(names[5:]) == {"a i-0acccccc boot: user", 'a i-0acccccc service: {"le'}


class Endless(Queue[Any]):
    """As if the source of a line that is taken said the next one meanwhile."""

    taken = 0

    def get(self, *_: Any) -> Any:
        assert self.maxsize > 0
        source, line = super().get()
        if line:
            self.taken += 1
            assert self.taken < 1000
            self.put((source, line._replace(time=f"{line.time}0")))
        return source, line


def test_a_source_that_does_not_pause_is_shown_and_does_not_fill_the_memory(
    followed: Iterator[logs.Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "Queue", Endless)
    assert next(followed)


def test_a_source_that_ends_at_once_is_not_asked_again_at_once(
    docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: Queue[tuple[logs.Source, logs.Line | None]] = Queue()
    waited: list[tuple[float, int]] = []
    monkeypatch.setattr(logs.time, "sleep", lambda time: waited.append((time, said.qsize())))  # type: ignore[attr-defined]
    logs._follow(logs.Source("balancer", "test-balancer"), None, said)
    assert waited == [(logs.AGAIN, 1)]
    assert [said.get()[1] is None for _ in range(2)] == [False, True]


def test_what_follows_a_host_s_log_ends_when_nobody_reads_it_any_more(tmp_path: Path) -> None:
    stub = tmp_path / "docker"
    stub.write_text("#!/bin/bash\necho $$\nexec sleep 60\n")
    stub.chmod(0o700)
    following = subprocess.Popen(
        ["/bin/bash", "-c", logs.FOLLOW, "logs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    )
    assert following.stdin
    assert following.stdout
    number = int(following.stdout.readline())
    following.stdin.close()
    assert following.wait(timeout=10) != 0
    assert not Path(f"/proc/{number}").exists()
    following.stdout.close()


@pytest.mark.parametrize("word", ["1", "a", "us-east-1a", A, A[:6], A[2:8], f"c0ffee{A}"[:11]])
def test_a_host_is_found_by_number_zone_or_id(cloud: Cloud, word: str) -> None:
    assert hosts.chosen(cloud, word, "shell").instance == A


@pytest.mark.parametrize(
    ("word", "wrong"),
    [("", "say which host"), ("c", "no host is called 'c'"), ("i-0", "2 hosts are called 'i-0'")],
)
def test_a_host_that_is_not_meant_clearly_is_refused_with_those_that_there_are(
    cloud: Cloud, word: str, wrong: str
) -> None:
    with pytest.raises(UserError) as refused:
        hosts.chosen(cloud, word, "shell")
    told = str(refused.value).splitlines()
    assert told[0].startswith(wrong)
    assert [line.split()[:3] for line in told[2:4]] == [["1", "a", A], ["2", "b", B]]
    assert told[4] == f"Such as: make shell {A}"


def test_without_hosts_it_says_so() -> None:
    with pytest.raises(UserError, match="there are no hosts"):
        hosts.chosen(Cloud(), "a", "shell")


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the process turned into, instead of turning into it."""
    found: list[tuple[str, ...]] = []

    def exec_(_: str, command: tuple[str, ...]) -> None:
        found.append(command)
        raise SystemExit

    monkeypatch.setattr(shell.os, "execvp", exec_)  # type: ignore[attr-defined]
    return found


def test_a_shell_greets_on_a_terminal_and_says_that_the_service_has_none(
    cloud: Cloud,
    become: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    with pytest.raises(SystemExit):
        shell.shell(cloud, "a", "")
    assert become == [("docker", "exec", "--interactive", "--tty", f"test-{A}", "bash")]
    assert "the service's container, which has no shell" in capsys.readouterr().out


def test_one_command_runs_on_a_host_without_a_word_of_ours(
    cloud: Cloud, become: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        shell.shell(cloud, "b", "docker ps | wc -l")
    (command,) = become
    assert command[2:] == ("--interactive", f"test-{B}", "bash", "-c", "docker ps | wc -l")
    assert capsys.readouterr().out == ""


def test_there_is_no_shell_on_a_host_that_has_ended(become: list[tuple[str, ...]]) -> None:
    with pytest.raises(UserError, match=rf"does not run \(exited\); make logs HOST={A}"):
        shell.shell(Cloud(machine(A, "us-east-1a", "exited")), "a", "")
    assert become == []
