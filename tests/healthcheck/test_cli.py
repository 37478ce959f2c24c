"""The command: what it prints, and the number that it returns."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from healthcheck import __version__
from healthcheck import check as checking
from healthcheck.__main__ import main
from healthcheck.arguments import create_parser
from healthcheck.url import BadUrl, complete_url, remove_credentials
from tests.support.healthcheck_servers import Behaviour, ntp, time_service, web
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
KEYS = {
    "status",
    "reason",
    "detail",
    "offset",
    "bound",
    "limit",
    "proven",
    "assumed",
    "coverage",
    "samples",
    "instances",
    "reference",
    "phases",
    "checked_at",
    "url",
    "version",
}
# Options that take seconds accept none of these.
SECONDS = ("0", "nan", "inf", "1e6", "soon")
NOBODY = "127.0.0.1:9"  # no server there


@contextlib.contextmanager
def service(behaviour: Behaviour, *shifts: float) -> Iterator[list[str]]:
    """Start a service and NTP servers whose clocks are fast by this much; return the check's
    arguments."""
    with contextlib.ExitStack() as stack:
        arguments = [stack.enter_context(web(behaviour)).url]
        for shift in shifts:
            arguments += ["--ntp", stack.enter_context(ntp(shift=shift)).name]
        yield arguments


def test_ok(capsys: pytest.CaptureFixture[str]) -> None:
    with service(time_service(), 0, 0, 0) as arguments:
        assert main(arguments) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"OK: the one host of {arguments[0]}/now within 1 s: worst ")
    assert line.endswith(", reference 3 NTP servers\n")
    assert "(+-" in line


def test_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with service(time_service(-2.5, "i-7"), 0) as arguments:
        assert main(arguments) == 2
    line = capsys.readouterr().out
    # A busy machine widens the bound, and then moves the middle of the interval.
    assert re.match(r"Failed: http://\S+/now: host i-7 is 2\.\d\d s slow \(\+-", line)
    assert line.endswith("limit 1 s, reference a single NTP server\n")


def test_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    with service(time_service(), 0, 50) as arguments:
        assert main(arguments) == 3
    line = f"Unknown: {arguments[0]}/now: the NTP servers contradict each other\n"
    assert capsys.readouterr().out == line


def test_a_service_that_is_down(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["127.0.0.1:9", "--reference", "local"]) == 2
    assert capsys.readouterr().out == "Failed: http://127.0.0.1:9/now: the connection is refused\n"


def test_a_liar_among_the_servers_is_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    with service(time_service(), 0, 0, 50) as arguments:
        assert main(arguments) == 0
    liar = arguments[-1]
    assert capsys.readouterr().out.endswith(f"reference 2 NTP servers (outvoted: {liar})\n")


def test_without_any_server_our_own_clock_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with service(time_service()) as arguments:
        assert main([*arguments, "--ntp", NOBODY, "--deadline", "3"]) == 0
    assert "reference this machine's clock (no NTP server answered)" in capsys.readouterr().out


def test_without_any_server_nobody_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with service(time_service(5)) as arguments:
        assert main([*arguments, "--ntp", NOBODY, "--deadline", "3"]) == 3
    assert re.match(r"Unknown: \S+: host i-1 is [45]\.\d\d s fast", capsys.readouterr().out)


def test_our_own_clock_decides_if_it_is_asked_to() -> None:
    with service(time_service(5)) as arguments:
        assert main([*arguments, "--reference", "local"]) == 2


def test_the_limit_can_be_changed() -> None:
    with service(time_service(5), 0) as arguments:
        assert main([*arguments, "--limit", "6"]) == 0


def test_json_is_one_object_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with service(time_service(0.25), 0, 0, 0) as arguments:
        assert main([*arguments, "--format", "json", "--ntp", "host.invalid"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    record = json.loads(out)
    assert set(record) == KEYS
    assert (record["status"], record["reason"], record["proven"]) == ("OK", "ok", True)
    (instance,) = record["instances"]
    assert abs(record["offset"] - 0.25) <= record["bound"] + 1e-5
    assert (record["limit"], record["samples"], record["version"]) == (
        1.0,
        instance["samples"],
        __version__,
    )
    assert record["coverage"]["complete"]
    assert record["coverage"]["connections"] >= 14
    assert set(instance) == {"instance", "version", "zone", "samples", "offset", "bound"}
    assert instance["instance"] == "i-1"
    assert record["reference"]["kind"] == "ntp"
    *answered, silent = record["reference"]["servers"]
    assert [set(server) for server in answered] == [{"server", "offset", "bound", "outvoted"}] * 3
    assert set(silent) == {"server", "refused"}
    assert set(record["phases"]) == {"reference", "first_answer", "total"}
    assert record["checked_at"].endswith("Z")
    assert record["url"] == arguments[0] + "/now"


def test_json_of_a_service_that_is_down_has_the_same_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["127.0.0.1:9", "--reference", "local", "--format", "json"]) == 2
    record = json.loads(capsys.readouterr().out)
    assert set(record) == KEYS
    assert (record["offset"], record["bound"], record["instances"]) == (None, None, [])


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_password_is_used_and_never_printed(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    with web(time_service()) as server:
        url = server.url.replace("http://", "http://me:hush@")
        assert main([url, "--reference", "local", "--format", form]) == 0
    assert server.requests[0]["Authorization"].startswith("Basic ")
    out, err = capsys.readouterr()
    assert "hush" not in out + err


@pytest.mark.parametrize(
    "arguments",
    [
        ["http://x", "--limit", "0"],
        ["http://x", "--limit", "nan"],
        ["http://x", "--limit", "soon"],
        ["http://x", "--every", "0"],
        ["http://x", "--samples", "1"],
        ["http://x", "--count", "3"],
        ["http://x", "--every", "60", "--count", "0"],
        ["http://x", "--every", "60", "--count", "9" * 20],
        ["http://x", "--deadline", "-1"],
        ["http://x", "--ntp", "host:port"],
        ["http://x", "--ntp", "host:0"],
        ["http://x", "--ntp", ""],
        ["http://x", "--ntp", "a b"],
        ["http://x", "--ntp", "a..b"],
        ["http://x", "--ntp", "-a"],
        ["http://x", "--ntp", "a-.org"],
        ["http://x", "--ntp", "1.2.3"],
        ["http://x", "--ntp", "1.2.3.256"],
        ["http://x", "--ntp", "[1.2.3.4]"],
        ["http://x", "--ntp", "x" * 64 + ".org"],
        ["http://x", "--ntp", "."],
        ["http://x", "--instances", "0"],
        ["http://x", "--instances", "two"],
        ["http://x", "--samples", "1001"],
        ["http://x", "--reference", "sundial"],
        ["http://x", "--format", "xml"],
        ["http://x", "--unheard-of"],
        ["http://x", "http://y"],
        ["ftp://me:hush@x"],
        ["http://me:hush@x:port"],
        ["http://me:hush/@x"],
        ["http://[::1"],
        ["http://"],
        ["http://a b/"],
        ["http://a..b/"],
        ["http://*.example.org/"],
        ["http:/me:hush@x"],
        ["http://me:12#hush@x"],
        ["http://x", "http://me:hush@y"],
        ["http://x", "http://me:12 hush@y"],
        ["http://x", "http://me:12/hush@y"],
        ["http://x", "http://me:12\nhush 34@y"],
        ["http://x", "me:hush@y"],
        ["http://x", "--limit", "http://me:hush@y"],
        ["http://x", "--ntp", "http://host:123"],
        ["http://" + "x" * 64 + ".org/"],
        ["http://a\nb/"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_unknown_and_says_how(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: ")
    assert "hush" not in err
    assert "Traceback" not in err


def test_an_empty_url_is_wrong_usage_and_not_the_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIMESERVICE_URL", "http://another.example")
    with pytest.raises(SystemExit) as ended:
        main([""])
    assert ended.value.code == 3
    assert "the URL is not valid" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["/dev/full", "closed pipe"])
def test_a_verdict_that_nobody_can_read_is_unknown(output: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with (
        service(time_service(), 0) as arguments,
        open(output if output[0] == "/" else writing, "w") as out,
    ):
        done = subprocess.run(
            [sys.executable, "-m", "healthcheck", *arguments],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 3
    assert "standard output cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_readers_of_both_outputs_that_leave_do_not_change_the_exit_code() -> None:
    """As in `healthcheck URL 2>&1 | true`."""
    reading, writing = os.pipe()
    os.close(reading)
    with service(time_service(), 0) as arguments, open(writing, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "healthcheck", *arguments],
            cwd=ROOT,
            # Without its buffers, Python would not write at its end.
            env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
            stdout=out,
            stderr=out,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("option", "number"),
    [
        *(("count", number) for number in (1, 1_000_000_000)),
        *(("samples", number) for number in (2, 1000)),
        *(("instances", number) for number in (1, 100)),
    ],
)
def test_a_whole_number_at_its_limits_is_taken(option: str, number: int) -> None:
    assert getattr(create_parser().parse_args([f"--{option}", str(number)]), option) == number


def test_one_host_is_expected_by_default() -> None:
    assert create_parser().parse_args([]).instances == 1


@pytest.mark.parametrize("text", ["1e-9", "999999.5"])
def test_a_number_of_seconds_just_within_its_limits_is_taken(text: str) -> None:
    assert create_parser().parse_args(["--every", text]).every == float(text)


@pytest.mark.parametrize(
    ("option", "text", "limits"),
    [
        *(("--every", text, "a number of seconds above 0 and below 1,000,000") for text in SECONDS),
        *(("--count", text, "a whole number from 1 to 1000000000") for text in ("0", "1.5")),
        *(("--samples", text, "a whole number from 2 to 1000") for text in ("1", "1001", "ten")),
        *(("--instances", text, "a whole number from 1 to 100") for text in ("0", "101", "two")),
    ],
)
def test_a_number_that_is_refused_has_its_limits_named(
    capsys: pytest.CaptureFixture[str], option: str, text: str, limits: str
) -> None:
    with pytest.raises(SystemExit):
        main(["http://x", "--every", "60", option, text])
    assert capsys.readouterr().err.endswith(f"argument {option}: {text} is not {limits}\n")


def start_periodic(arguments: list[str], output: int, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "healthcheck", "--every", "0.05", *more, *arguments],
        cwd=ROOT,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        # With a buffer, Python prints the rest when it ends.
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )


def test_periodic_checks_end_when_their_reader_has_gone() -> None:
    """The reader may go while the checks wait for the next one, as `| head -1` does."""
    with service(time_service(), 0) as arguments:
        process = start_periodic(arguments, subprocess.PIPE, "--every", "3000")
        assert process.stdout
        assert process.stdout.readline().startswith("OK: ")
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")


def test_each_lost_result_is_reported_and_the_exit_code_says_that_some_are_lost(
    tmp_path: Path,
) -> None:
    """A full disk has room again later, and a line that was cut does not spoil the next one."""
    with service(time_service(), 0) as arguments, open("/dev/full", "w") as full:
        process = start_periodic(arguments, full.fileno(), "--count", "3")
        _, err = process.communicate(timeout=PATIENCE)
    message = "healthcheck: standard output cannot be written: No space left on device\n"
    assert (process.returncode, err) == (3, message * 3)


def test_a_result_is_written_after_one_that_a_full_disk_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = Disk([5, OSError(28, "No space left on device"), 1000, 1000])
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(buffer=disk))
    arguments = ["127.0.0.1:9", "--reference", "local", "--every", "0.01", "--count", "2"]
    monkeypatch.setattr(checking, "RETRY_AFTER", 0.01)
    assert main(arguments) == 3
    assert disk.content == b"Faile\nFailed: http://127.0.0.1:9/now: the connection is refused\n"
    assert capsys.readouterr().err.count("cannot be written: No space left") == 1


class Disk:
    """A file without a buffer. turns: the bytes that each write takes, or what it raises."""

    def __init__(self, turns: list[int | OSError]) -> None:
        self.turns = turns
        self.content = b""

    def write(self, data: bytes) -> int:
        turn = self.turns.pop(0)
        if isinstance(turn, OSError):
            raise turn
        self.content += data[:turn]
        return min(turn, len(data))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o600])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "result"
    file.touch()
    file.chmod(mode)
    before = os.umask(0o077)
    try:
        main(["127.0.0.1:9", "--reference", "local", "--output", str(file)])
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == mode
    assert file.read_text().startswith("Failed: ")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "result"
    file.touch()
    os.chown(file, 1234, 4321)
    main(["127.0.0.1:9", "--reference", "local", "--output", str(file)])
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize(("closed", "code"), [("1", 3), ("2", 0)])
def test_what_is_closed_takes_nothing_and_the_other_takes_no_more(closed: str, code: int) -> None:
    with service(time_service(), 0) as arguments:
        command = [sys.executable, "-m", "healthcheck", "--verbose", *arguments]
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {closed}>&-', "sh", *command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == code
    assert done.stdout.count("\n") == (closed == "2")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("variable", [None, ""])
def test_without_a_url_it_says_how_to_give_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str | None
) -> None:
    monkeypatch.delenv("TIMESERVICE_URL", raising=False)
    if variable is not None:
        monkeypatch.setenv("TIMESERVICE_URL", variable)
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 3
    message = capsys.readouterr().err
    assert "set TIMESERVICE_URL" in message
    assert "make check" in message


def test_the_url_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with web(time_service()) as server:
        monkeypatch.setenv("TIMESERVICE_URL", server.url)
        assert main(["--reference", "local"]) == 0
    assert server.requests
    assert capsys.readouterr().out.startswith("OK: ")


def test_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    for line in ("  0  OK ", "  2  Failed ", "  3  Unknown "):
        assert line in out


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("example.org", "http://example.org/now"),
        ("example.org:8080", "http://example.org:8080/now"),
        ("http://example.org", "http://example.org/now"),
        ("http://example.org/", "http://example.org/now"),
        ("http://example.org/now", "http://example.org/now"),
        ("https://example.org/now?format=json", "https://example.org/now?format=json"),
        ("https://example.org/time", "https://example.org/time"),
        ("http://[::1]:8000", "http://[::1]:8000/now"),
        (
            "http://[2001:db8:1111:2222:3333:4444:5555:6666]",
            "http://[2001:db8:1111:2222:3333:4444:5555:6666]/now",
        ),
        ("http://example.org./", "http://example.org./now"),
    ],
)
def test_short_forms_of_a_url(given: str, asked: str) -> None:
    assert complete_url(given) == asked


def test_a_bad_url_is_not_repeated() -> None:
    with pytest.raises(BadUrl) as refused:
        complete_url("gopher://me:hush@example.org")
    assert "hush" not in str(refused.value)


def test_credentials_are_cut_out() -> None:
    assert remove_credentials("http://me:a@b@example.org:80/now") == "http://example.org:80/now"
    assert remove_credentials("http://example.org/now") == "http://example.org/now"
