"""Each form of a result follows the grammar, the parser or the schema of its readers."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from healthcheck.__main__ import main
from healthcheck.check import Result
from healthcheck.coverage import Coverage
from healthcheck.formats import json as json_form
from healthcheck.formats import nagios, prometheus, proof, text
from healthcheck.interval import Interval
from healthcheck.reading import Reading, Reference, Sample, Server, Trouble
from healthcheck.verdict import Verdict, judge
from tests.healthcheck.test_verdict import CASES, NTP, REFUSED, against, sample
from tests.support.healthcheck_servers import ntp, time_service, web

SCHEMA = json.loads((Path(__file__).parents[2] / "healthcheck" / "schema.json").read_text())
LIMIT = 1.0  # second
GOOD = Server("good", Interval(-0.01, 0.01))
LIAR = Server("liar", Interval(49.99, 50.01))
SILENT = Server("silent", None, "no response in time")
URL = "http://me:hush@example.org/now"


def result(
    samples: list[Sample], reference: Reference = NTP, trouble: Trouble | None = None
) -> Result:
    reading = Reading(tuple(samples), reference, trouble)
    phases = {"reference": 0.01, "total": 0.25}
    covered = Coverage(len({sample.instance for sample in samples}), 40, 1)
    return Result(URL, judge(reading, LIMIT), reading, LIMIT, phases, 1_795_348_800.0, covered)


RESULTS = {name: result(samples, reference) for name, samples, reference, _, _ in CASES}
RESULTS |= {
    "nothing measured": result([], NTP, REFUSED),
    "cut off": result([sample()], NTP, REFUSED),
    "strange name": result([sample(2, instance='a"b\\c|d')]),
    "the year 0": result([sample(stated=-62_135_600_400.0)]),
    "own defect": result([])._replace(
        verdict=Verdict("Unknown", "error", "the check failed", False)
    ),
}
each_result = pytest.mark.parametrize("outcome", RESULTS.values(), ids=list(RESULTS))


@each_result
def test_text_begins_with_the_status_and_is_one_line(outcome: Result) -> None:
    line = text.render(outcome)
    assert line.startswith(f"{outcome.verdict.status}: ")
    assert "http://example.org/now" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (against("single"), "a single NTP server"),
        (against("local"), "this machine's clock (no NTP server answered)"),
        (against("chosen"), "this machine's clock"),
        (against(), "0 NTP servers"),
        (NTP._replace(servers=(GOOD, SILENT)), "1 NTP server"),
        (NTP._replace(servers=(GOOD, GOOD, LIAR, SILENT)), "2 NTP servers (outvoted: liar)"),
    ],
)
def test_text_names_the_reference(reference: Reference, words: str) -> None:
    line = text.render(result([sample()], reference))
    start = "OK: the one host of http://example.org/now within 1 s: worst +0.0 ms (+-30 ms)"
    assert line == f"{start}, reference {words}"


def test_text_counts_the_instances_and_has_none_without_samples() -> None:
    line = text.render(result([sample(), sample(instance="b")]))
    assert line.startswith("OK: both hosts of http://example.org/now within 1 s: ")
    down = text.render(result([], NTP, REFUSED))
    assert down == "Failed: http://example.org/now: the connection is refused"


@pytest.mark.parametrize(
    ("trouble", "reference", "words"),
    [
        (REFUSED, NTP, "Failed: http://example.org/now: the connection is refused"),
        (
            Trouble("tls", "the certificate is not valid", by_own_clock=True),
            against(own_error=-10_800),
            "Unknown: http://example.org/now: the certificate is not valid; "
            "but this machine's own clock is 10,800 s slow (+-10 ms)",
        ),
    ],
)
def test_text_of_a_failed_connection_has_neither_limit_nor_reference(
    trouble: Trouble, reference: Reference, words: str
) -> None:
    """This holds even if the service responded to earlier requests."""
    assert text.render(result([sample()], reference, trouble)) == words


def test_json_has_microseconds_and_each_server_s_interval_or_trouble() -> None:
    reference = against(bound=0.0123456)._replace(servers=(GOOD, SILENT))
    record = json.loads(json_form.render(result([sample()], reference)))
    assert record["bound"] == 0.032348
    assert record["reference"]["servers"] == [
        {"server": "good", "offset": 0.0, "bound": 0.01, "outvoted": False},
        {"server": "silent", "refused": "no response in time"},
    ]


@pytest.mark.parametrize(
    ("samples", "reference", "trouble", "proven", "assumed"),
    [
        ([sample()], NTP, None, True, False),
        ([], NTP, REFUSED, True, False),
        ([sample(1, 1)], NTP, None, False, False),
        ([sample()], against("local"), None, False, True),
        ([], against("local"), REFUSED, False, False),
    ],
    ids=["right", "down", "not sure", "right by our own clock", "down, without NTP"],
)
def test_json_is_proven_by_a_measured_reference_alone(
    samples: list[Sample],
    reference: Reference,
    trouble: Trouble | None,
    proven: bool,
    assumed: bool,
) -> None:
    record = json.loads(json_form.render(result(samples, reference, trouble)))
    assert (record["proven"], record["assumed"]) == (proven, assumed)


def test_a_proof_is_complete() -> None:
    samples = [sample(0.5), sample(0.25, 1, "b", slept=(9, 9))]
    reference = NTP._replace(servers=(GOOD, SILENT))
    assert proof.render(result(samples, reference, REFUSED)) == (
        "check of http://example.org/now\n"
        "reference (true time minus this machine's clock):\n"
        "  good    [-10.000, +10.000] ms\n"
        "  silent  not used: no response in time\n"
        "  => [-10.000, +10.000] ms  a majority of the servers that responded\n"
        "responses (the service's clock minus this machine's, whatever the delay each way):\n"
        "  1  a  [+480.000, +520.001] ms  stated 2026-11-22T12:00:00.520Z, to 1e-06 s, "
        "within 40.000 ms\n"
        "  2  b  [+230.000, +270.001] ms  stated 2026-11-22T12:00:01.270Z, to 1e-06 s, "
        "within 40.000 ms  not used: this machine slept, or its clock was set, in between\n"
        "  then: the connection is refused\n"
        "error (the offset that all responses of a host share, minus the reference, "
        "plus 50 ppm of the time between both):\n"
        "  a  [+469.998, +530.003] ms  within 1 s\n"
        "coverage: 2 hosts seen (1 expected) over 40 connections, which miss another host "
        "with an equal share with a probability of 9e-08\n"
        "verdict: Failed (refused), proven"
    )


@pytest.mark.parametrize(
    ("error", "side"),
    [
        (Interval(-1.0, 1.0), "within"),
        (Interval(1.0, 1.5), "on both sides of"),
        (Interval(1.25, 1.5), "beyond"),
    ],
)
def test_an_error_of_exactly_the_limit_is_within(error: Interval, side: str) -> None:
    assert proof._compare(error, 1.0) == side


def test_a_proof_without_servers_or_trouble_names_none() -> None:
    lines = proof.render(result([sample()])).splitlines()
    assert lines[2] == ("  => [-10.000, +10.000] ms  a majority of the servers that responded")
    assert not any(line.startswith("  then: ") for line in lines)


@each_result
def test_json_is_one_line_that_keeps_to_the_schema(outcome: Result) -> None:
    line = json_form.render(outcome)
    assert "\n" not in line
    jsonschema.validate(json.loads(line), SCHEMA, jsonschema.Draft202012Validator)


def test_the_schema_is_one_and_notices_what_does_not_keep_to_it() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    good = json.loads(json_form.render(result([sample()])))
    for key, wrong in [("status", "Fine"), ("reason", "?"), ("bound", -1), ("checked_at", "today")]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**good, key: wrong}, SCHEMA)
    for key in good:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: good[name] for name in good if name != key}, SCHEMA)


# Monitoring Plugins' development guidelines, "Performance data":
# 'label'=value[UOM];[warn];[crit];[min];[max], where a threshold is a range ([@]start:end, start
# may be ~ or left out), and the unit of measurement none, s, %, B or c.
NUMBER = r"-?\d+(?:\.\d+)?"
RANGE = rf"@?(?:(?:~|{NUMBER})?:)?(?:{NUMBER})?"
DATUM = rf"'[^'=]+'={NUMBER}(?:s|%|B|c)?;(?:{RANGE});(?:{RANGE});(?:{NUMBER})?;(?:{NUMBER})?"


@each_result
def test_a_plugin_says_one_line_with_performance_data_of_the_guidelines_form(
    outcome: Result,
) -> None:
    line = nagios.render(outcome)
    text, bar, data = line.partition(" | ")
    assert re.match("TIME (OK|WARNING|CRITICAL|UNKNOWN): .", text)
    assert bar
    assert "|" not in text + data
    for datum in data.split(" "):
        assert re.fullmatch(DATUM + ";?", datum), datum


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("right", "OK"),
        ("1.1 s fast", "CRITICAL"),
        ("near the limit, and the bound reaches beyond", "UNKNOWN"),
        ("no majority", "UNKNOWN"),
        ("nothing measured", "CRITICAL"),
    ],
)
def test_a_plugin_leaves_what_is_not_proven_to_people(name: str, status: str) -> None:
    assert nagios.status(RESULTS[name]) == status


@each_result
def test_prometheus_s_own_parser_reads_what_was_measured(outcome: Result) -> None:
    values = {
        (
            sample.name.removeprefix("timeservice_healthcheck"),
            *(value for label, value in sample.labels.items() if label != "url"),
        ): sample.value
        for family in text_string_to_metric_families(prometheus.render(outcome) + "\n")
        for sample in family.samples
    }
    assert values["_success",] == (outcome.verdict.status == "OK")
    assert values["_unknown",] == (outcome.verdict.status == "Unknown")
    assert values["_duration_seconds", "total"] == 0.25
    for instance in outcome.verdict.instances:
        assert values["_offset_seconds", instance.name] == instance.error.middle
        assert values["_bound_seconds", instance.name] == instance.error.half_width


@each_result
def test_no_form_tells_a_password(outcome: Result) -> None:
    forms: list[Callable[[Result], str]] = [
        text.render,
        json_form.render,
        nagios.render,
        prometheus.render,
    ]
    assert not any("hush" in form(outcome) for form in forms)


@each_result
def test_a_proof_names_every_answer_every_server_and_every_instance(outcome: Result) -> None:
    lines = proof.render(outcome).splitlines()
    answers = [line for line in lines if re.match(r"  \d+  ", line)]
    assert len(answers) == len(outcome.reading.samples)
    for answer, line in zip(outcome.reading.samples, answers, strict=True):
        assert answer.instance in line
        assert ("not used" in line) is not outcome.reading.reference.is_comparable(answer)
    for instance in outcome.verdict.instances:
        side = "within" if instance.error.most <= LIMIT else "beyond"
        if instance.error.least <= LIMIT < instance.error.most:
            side = "on both sides of"
        assert any(
            line.startswith(f"  {instance.name}  [") and f" {side} 1 s" in line for line in lines
        )
    assert lines[-1].startswith(f"verdict: {outcome.verdict.status} ({outcome.verdict.reason})")
    assert lines[-1].endswith(" not proven") is not outcome.verdict.is_final
    is_own_clock = outcome.reading.reference.is_own_clock
    assert lines[-1].endswith(", assumed") is (outcome.verdict.is_final and is_own_clock)


def test_the_command_explains_on_standard_error_why_a_server_was_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with web(time_service()) as server, ntp() as good, ntp(stratum=16) as bad:
        arguments = [server.url, "--ntp", good.name, "--ntp", bad.name, "--verbose"]
        assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.startswith("OK: the one host of ")
    assert out.count("\n") == 1
    assert re.search(rf"^  {re.escape(good.name)} +\[[-+.\d]+, [-+.\d]+\] ms$", err, re.MULTILINE)
    assert f"{bad.name}  not used: stratum 16: the server is not synchronised" in err
    assert "=> [" in err


@pytest.mark.parametrize(
    ("error", "form", "code", "start"),
    [
        (0.0, "nagios", 0, "TIME OK: the one host of "),
        (3.0, "nagios", 2, "TIME CRITICAL: http://127.0.0.1:"),
        (1.0, "nagios", 3, "TIME UNKNOWN: http://127.0.0.1:"),
        (1.0, "text", 2, "Failed: http://127.0.0.1:"),
        (3.0, "prometheus", 2, "# HELP timeservice_healthcheck_success "),
    ],
)
def test_the_command_tells_in_the_form_that_is_asked_for(
    error: float, form: str, code: int, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with web(time_service(error)) as server, ntp() as reference:
        assert main([server.url, "--ntp", reference.name, "--format", form]) == code
    assert capsys.readouterr().out.startswith(start)


def test_output_goes_to_a_file_that_is_always_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At any moment, a collector sees the last verdict or the new one, and no other file."""
    file = tmp_path / "timeservice.prom"
    file.write_text("the verdict before")
    seen: list[Any] = []
    replace = Path.replace

    def look(part: Path, target: Path) -> Path:
        seen.append((file.read_text(), [path.suffix for path in tmp_path.glob("[!.]*")]))
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", look)
    arguments = ["127.0.0.1:9", "--reference", "local", "--format", "prometheus"]
    assert main([*arguments, "--output", str(file)]) == 2
    assert seen == [("the verdict before", [".prom"])]
    assert file.read_text().startswith("# HELP ")
    assert file.read_text().endswith("\n")
    assert list(tmp_path.iterdir()) == [file]
    assert capsys.readouterr().out == ""


def test_a_link_stays_one_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    link, pipe, there = tmp_path / "link", tmp_path / "pipe", tmp_path / "there"
    link.symlink_to(there)
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for file in (link, pipe):
        assert main(["127.0.0.1:9", "--reference", "local", "--output", str(file)]) == 2
    assert link.is_symlink()
    assert there.read_text().startswith("Failed: ")
    assert os.read(reading, 100).startswith(b"Failed: ")
    os.close(reading)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_to_itself_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    assert main(["127.0.0.1:9", "--reference", "local", "--output", str(link)]) == 2
    assert link.read_text().startswith("Failed: ")


def test_standard_output_may_be_named_as_a_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "healthcheck", "127.0.0.1:9", "--reference", "local"]
    command += ["--output", "/dev/stdout"]
    root = Path(__file__).parents[2]
    piped = subprocess.run(command, cwd=root, capture_output=True, check=False)
    with (tmp_path / "stdout").open("wb") as file:
        subprocess.run(command, cwd=root, stdout=file, check=False)
    assert piped.stdout.startswith(b"Failed: ")
    assert (tmp_path / "stdout").read_bytes() == piped.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["stdout"]


@pytest.mark.parametrize("name", ["", "/", ".", "x" * 300])
def test_what_can_be_no_file_is_unknown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["127.0.0.1:9", "--reference", "local", "--output", name]) == 3
    assert re.search(
        "cannot be written: (Is a directory|File name too long)", capsys.readouterr().err
    )


def test_a_file_that_cannot_be_written_is_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "file"
    assert main(["127.0.0.1:9", "--reference", "local", "--output", str(path)]) == 3
    assert f"{path} cannot be written: No such file or directory" in capsys.readouterr().err
