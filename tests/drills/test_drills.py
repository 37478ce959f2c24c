"""The drills' arithmetic and their catalogue; the drills themselves are played by `make drill`."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

import pytest

from drills import __main__ as command
from drills import outcome, picture, stage
from drills.catalogue import DRILLS
from drills.faults import time_server
from drills.load import Request
from drills.outcome import Outcome, Seen
from drills.times import two_checks
from local.steps import hold_lock
from tests.support.templates import the

ROOT = Path(__file__).parents[2]


def requests(*failed_at: int, until: int = 100) -> list[Request]:
    return [Request(float(at), 0.001 * at, 503 if at in failed_at else 200) for at in range(until)]


def seen(*healthy: int) -> list[Seen]:
    """One look each second."""
    return [
        Seen(float(at), {f"i-{one}": "healthy" for one in range(count)} | {"i-9": "unhealthy"})
        for at, count in enumerate(healthy)
    ]


def result(**changes: Any) -> Outcome:
    plain = Outcome(
        "a-drill", "it breaks", 0.0, 100.0, 10.0, requests(12, 20), seen(2, 2), [], [], []
    )
    return plain._replace(**changes)


def test_errors_end_with_the_last_request_that_failed() -> None:
    assert outcome.errors_ended(requests(12, 20), 10.0) == 10.0
    assert outcome.errors_ended(requests(), 10.0) is None
    assert outcome.errors_ended(requests(5), None) is None


def test_an_error_before_the_fault_is_still_an_error() -> None:
    assert outcome.errors_ended(requests(3), 10.0) == 0.0
    assert len(outcome.failures(requests(3))) == 1


@pytest.mark.parametrize(
    ("healthy", "after"),
    [
        ((2, 2, 2, 2), None),
        ((2, 2, 1, 1, 2, 2), 3.0),
        ((2, 2, 1, 2, 1, 2), 4.0),  # for good
        ((2, 2, 1, 1), float("inf")),
    ],
)
def test_two_healthy_hosts_count_when_they_are_there_for_good(
    healthy: tuple[int, ...], after: float | None
) -> None:
    assert outcome.two_healthy(seen(*healthy), 1.0) == after


def test_the_longest_time_with_too_few_hosts_is_found() -> None:
    assert outcome.longest_short(seen(2, 1, 2, 1, 0, 1, 2)) == 2.0
    assert outcome.longest_short(seen(2, 3, 4)) == 0.0


def test_percentiles_are_of_what_was_answered() -> None:
    unanswered = Request(1.0, 10.0, 0, "no answer")
    assert outcome.percentile([*requests(), unanswered], 0.99) == pytest.approx(0.099)
    assert outcome.percentile([*requests(), unanswered], 1.0) == pytest.approx(0.099)
    assert outcome.percentile([unanswered], 0.5) is None


def test_a_drill_that_did_not_hold_says_so_in_table_and_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    assert command.report([result().summary(), result(broken=["errors end"]).summary()]) == 1
    told = capsys.readouterr().out
    assert "| **failed** |" in told
    assert told.endswith("1 of 2 drills held\n")
    assert command.report([result().summary()]) == 0
    assert capsys.readouterr().out.endswith("1 of 1 drills held\n")
    command.report([result(seen=[*seen(2), Seen(11.0, {})]).summary()])
    assert "| never |" in capsys.readouterr().out
    assert '"failed": 2' in (tmp_path / "drills.json").read_text()


def test_a_name_that_is_no_drill_is_refused_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["host-lives"])
    assert ended.value.code == 2
    assert "host-dies" in capsys.readouterr().err


def test_every_drill_is_listed_with_what_it_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == len(DRILLS) > 20
    assert all(len(line.split(None, 1)) == 2 for line in listed)


def test_two_checks_are_counted_with_the_template_s_own_times() -> None:
    target = the("ElasticLoadBalancingV2::TargetGroup")
    longest = 2 * target["HealthCheckIntervalSeconds"] * target["UnhealthyThresholdCount"]
    assert two_checks(ROOT) == longest + 1 == 21


def test_the_values_that_were_drilled_are_those_in_use() -> None:
    """docs/decisions/12; test_gunicorn and test_user_data hold the others."""
    target = the("ElasticLoadBalancingV2::TargetGroup")
    attributes = {each["Key"]: each["Value"] for each in target["TargetGroupAttributes"]}
    assert target["HealthCheckIntervalSeconds"] == 5
    assert target["HealthCheckTimeoutSeconds"] == 4
    assert target["HealthyThresholdCount"] == 2
    assert target["UnhealthyThresholdCount"] == 2
    assert attributes["deregistration_delay.timeout_seconds"] == "30"
    assert the("AutoScaling::AutoScalingGroup")["HealthCheckGracePeriod"] == 1500
    assert the("CloudFormation::WaitCondition")["Timeout"] == "1500"


def test_drills_are_not_played_beside_others_of_the_same_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stage, "RESULTS", tmp_path)
    with hold_lock(tmp_path / "lock", ""):
        assert command.main(["host-dies"]) == 1
    assert "drills run in this clone already" in capsys.readouterr().err


def test_a_picture_is_drawn_of_a_drill(tmp_path: Path) -> None:
    picture.draw(result(), tmp_path / "drill.svg")
    assert "healthy hosts" in (tmp_path / "drill.svg").read_text()


def question() -> bytes:
    return struct.pack("!B47s", 0x23, bytes(39) + b"uniquely")


def test_the_time_server_that_lies_is_believed_by_our_own_question() -> None:
    answer = time_server.answer(question(), 3.0)
    assert len(answer) == 48
    assert answer[24:32] == question()[40:]
    seconds = struct.unpack("!I", answer[40:44])[0] - time_server.UNIX
    assert seconds == pytest.approx(time.time() + 3, abs=2)


def test_the_kiss_of_death_has_no_stratum_and_its_word() -> None:
    answer = time_server.answer(question(), None)
    assert (len(answer), answer[1], answer[12:16]) == (48, 0, b"DENY")
