"""The command line of the drills, their faults, and how they run."""

from __future__ import annotations

import os
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployment import ROOT
from deployment.errors import UserError
from drills import __main__ as command
from drills import bad_releases, hosts, runner, trial
from drills.clone import Clone, Done
from drills.faults import time_server
from drills.load import Request
from drills.outcome import Outcome
from drills.runner import DRILLS
from drills.trial import Drill, Trial, repeat
from local import containers
from local.steps import hold_lock
from tests.support.archives import pack_tar
from tests.support.templates import the
from tests.support.waiting import PATIENCE


def test_a_drill_that_did_not_hold_is_in_the_output_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"host-dies": [], "good-release": ["errors end"]}

    def run_drill(drill: Drill, clone: object) -> Outcome:
        return Outcome(name=drill.name, what="it", broken=broken[drill.name], notes=["a note"])

    monkeypatch.setattr(command, "run_drill", run_drill)
    clone: Any = None
    assert command.run_and_report(["host-dies", "good-release"], clone) == 1
    output = capsys.readouterr().out
    assert "does not hold: errors end" in output
    assert "s  held\n" in output
    assert "s  failed\n" in output
    rows = [line for line in output.splitlines() if line.startswith("| ")]
    assert [(row.split()[1], row.split()[-2]) for row in rows] == [
        ("drill", "verdict"),
        ("host-dies", "held"),
        ("good-release", "**failed**"),
    ]
    assert "good-release: a note" in output
    assert output.endswith("1 of 2 drills held\n")
    assert command.run_and_report(["host-dies"], clone) == 0
    assert capsys.readouterr().out.endswith("1 of 1 drills held\n")


def test_a_name_that_is_no_drill_is_refused_with_the_names_of_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["host-dies", "host-lives"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "there is no drill 'host-lives'" in error
    assert all(name in error for name in DRILLS)
    assert command.main(["--check", "host-dies"]) == 0  # this deploys nothing


def test_the_drills_are_those_of_the_document() -> None:
    document = (ROOT / "docs/drills.md").read_text().splitlines()
    rows = [line for line in document if line.endswith(("| held |", "| **failed** |"))]
    assert sorted(row.split(" | ")[:2] for row in rows) == sorted(
        [f"| {drill.name}", drill.what] for drill in DRILLS.values()
    )
    assert len(DRILLS) == len(rows) == 34


def test_times_that_drills_wait_for_are_those_of_the_templates() -> None:
    target = the("ElasticLoadBalancingV2::TargetGroup")
    interval, timeout = target["HealthCheckIntervalSeconds"], target["HealthCheckTimeoutSeconds"]
    longest = (interval + max(interval, timeout)) * target["UnhealthyThresholdCount"]
    assert longest + 1 == trial.TWO_CHECKS == 21
    group = the("AutoScaling::AutoScalingGroup")
    assert group["HealthCheckGracePeriod"] == trial.GRACE_PERIOD == 2100
    user_data = (ROOT / "cfn/hosts.yaml").read_text()
    assert "for _ in {1..8}; do\n                sleep 15\n" in user_data
    assert f"* {hosts.TURNS_APART} + RANDOM % {hosts.TURN}))" in user_data


def test_the_values_that_were_drilled_are_those_in_use() -> None:
    """docs/decisions/12 has the values. test_gunicorn and test_user_data check those that are not
    here."""
    target = the("ElasticLoadBalancingV2::TargetGroup")
    attributes = {each["Key"]: each["Value"] for each in target["TargetGroupAttributes"]}
    assert target["HealthCheckIntervalSeconds"] == 5
    assert target["HealthCheckTimeoutSeconds"] == 4
    assert target["HealthyThresholdCount"] == 2
    assert target["UnhealthyThresholdCount"] == 2
    assert attributes["deregistration_delay.timeout_seconds"] == "30"
    assert the("CloudFormation::WaitCondition")["Timeout"] == "2100"


def test_drills_do_not_run_beside_others_of_the_same_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "RESULTS", tmp_path)
    with hold_lock(tmp_path / "lock", ""):
        assert command.main(["host-dies"]) == 1
    assert "drills run in this clone already" in capsys.readouterr().err


def test_a_deployment_that_cannot_be_removed_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "RESULTS", tmp_path)
    monkeypatch.setattr(runner, "Containers", lambda name: SimpleNamespace(remove=lambda: None))
    monkeypatch.setattr(runner, "deploy", lambda clone: None)
    monkeypatch.setattr(Clone, "make", lambda clone, target: Done(2 if target == "down" else 0, ""))
    with runner.deploy_clone():
        pass
    assert capsys.readouterr().err == f"make down fails; {tmp_path}/log has its output\n"


def test_a_command_that_hangs_ends_the_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\nexec sleep 5\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(containers, "COMMAND_SECONDS", 0.1)
    container: Any = SimpleNamespace(id="host")
    with pytest.raises(subprocess.TimeoutExpired):
        containers.execute(container, "docker", "stop", "timeservice")


class Replaced(Exception):
    """Ends a drill at its first change of a source file."""


@pytest.mark.parametrize(
    "name", ["bad-image", "bad-health", "bad-port", "bad-user-data", "late-replacement"]
)
def test_the_text_that_a_drill_changes_is_in_the_sources_once(name: str) -> None:
    def replace(file: str, old: str, new: str) -> None:
        text = (ROOT / file).read_text()
        assert text.count(old) == 1
        assert new not in text or old in new
        raise Replaced

    drill: Any = SimpleNamespace(clone=SimpleNamespace(replace=replace))
    with pytest.raises(Replaced):
        DRILLS[name].run(drill)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bad-image", 'step "starting the service"'),
        ("bad-health", '"/health returned $status'),
        ("bad-port", '"/health returned $status'),
        ("bad-clock", 'step "waiting for the clock to be synchronised"'),
        ("bad-user-data", 'step "installing Docker"'),
        ("bad-archive-missing", 'step "loading the image from S3"'),
        ("bad-archive-corrupt", 'step "loading the image from S3"'),
    ],
)
def test_the_reason_that_a_drill_expects_is_one_that_a_host_reports(
    name: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: list[str] = []
    monkeypatch.setattr(bad_releases, "release_badly", lambda trial, why: reasons.append(why))
    monkeypatch.setattr(bad_releases, "false_time", lambda trial, how: nullcontext())
    s3 = SimpleNamespace(
        list_buckets=lambda: {"Buckets": [{"Name": "bucket"}]}, list_objects_v2=lambda **_: {}
    )
    drill: Any = SimpleNamespace(
        clone=SimpleNamespace(replace=lambda file, old, new: None),
        edit_release=lambda: None,
        aws=lambda service: s3,
    )
    DRILLS[name].run(drill)
    assert reason in (ROOT / "cfn/hosts.yaml").read_text()
    words = reason.removeprefix('step "').strip('"').removesuffix(" $status")
    assert [words in expected for expected in reasons] == [True]


class Deployment(Trial):
    """A trial without a deployment: it has the states that a test gives it."""

    current: dict[str, str]

    def states(self) -> dict[str, str]:
        return self.current


def trial_of(**states: str) -> Deployment:
    nothing: Any = None
    deployment = Deployment(name="a-drill", what="it breaks", clone=nothing, cloud=nothing)
    deployment.current = states
    deployment.pair = {"old", "other"}
    return deployment


@pytest.mark.parametrize(
    ("states", "held"),
    [
        ({"old": "healthy", "new": "healthy"}, True),
        ({"old": "healthy"}, False),
        ({"old": "healthy", "new": "initial"}, False),
        ({"old": "healthy", "new": "healthy", "third": "draining"}, False),
        ({"new": "healthy", "lost": "healthy"}, False),
    ],
)
def test_a_pair_is_two_healthy_hosts_and_no_other(states: dict[str, str], held: bool) -> None:
    deployment = trial_of(**states)
    deployment.wait_until_two_healthy(0.0, without={"lost"})
    assert deployment.holds == held


@pytest.mark.parametrize(("patience", "held"), [(1.0, False), (10_000.0, True)])
def test_a_patient_trial_waits_longer(patience: float, held: bool) -> None:
    answers = iter([False, False, True])
    deployment = trial_of()
    deployment.patience = patience
    deployment.wait_until(lambda: next(answers), 0.01, "it happens")
    assert deployment.holds == held


@pytest.mark.parametrize(("state", "held"), [("draining", True), ("healthy", False)])
def test_a_host_is_out_when_it_is_not_healthy(state: str, held: bool) -> None:
    deployment = trial_of(old=state)
    deployment.wait_until_out("old", 0.0)
    assert deployment.holds == held
    assert deployment.broken == ([] if held else ["the host is taken out within 0 s"])


def test_a_host_that_was_replaced_is_noticed() -> None:
    same, replaced = trial_of(old="healthy", other="healthy"), trial_of(old="healthy", new="x")
    same.expect_same_hosts()
    replaced.expect_same_hosts()
    assert same.holds
    assert not replaced.holds


def test_a_report_that_is_replaced_while_it_is_read_is_read_again() -> None:
    """The engine then sends an archive without a file."""
    report = '[{"instance": "i-1", "state": "healthy"}]'
    archives = iter([pack_tar({}), pack_tar({"status.json": report})])
    controller = SimpleNamespace(get_archive=lambda path: ([next(archives)], {}))
    engine = SimpleNamespace(containers=SimpleNamespace(get=lambda name: controller))
    cloud: Any = SimpleNamespace(name="timeservice", engine=engine)
    clone: Any = None
    assert Trial(name="x", what="it", clone=clone, cloud=cloud).states() == {"i-1": "healthy"}


def test_hosts_are_those_that_run_and_new_ones_those_launched_since_the_beginning() -> None:
    def host(instance: str, status: str) -> SimpleNamespace:
        return SimpleNamespace(status=status, labels={"timeservice.instance": instance})

    machines = [host("old", "running"), host("other", "exited"), host("new", "running")]
    drill = trial_of()
    cloud: Any = SimpleNamespace(machines=lambda: machines)
    drill.cloud = cloud
    assert [containers.instance_of(found) for found in drill.hosts()] == ["old", "new"]
    assert [containers.instance_of(found) for found in drill.new_hosts()] == ["new"]


def run(monkeypatch: pytest.MonkeyPatch, *requests: Request, error: bool = False) -> Outcome:
    """Run a drill with these requests, on no deployment."""
    monkeypatch.setattr(runner, "deploy", lambda clone: None)
    monkeypatch.setattr(Trial, "set_grace_period", lambda trial, seconds: None)
    monkeypatch.setattr(runner, "Containers", lambda name: None)
    monkeypatch.setattr(Trial, "states", lambda trial: {"i-1": "healthy", "i-2": "healthy"})
    monkeypatch.setattr(Trial, "find_firing_alarms", lambda trial: set())

    def act(trial: Trial) -> None:
        trial.requests += requests
        assert trial.pair == {"i-1", "i-2"}
        if error:
            raise ValueError("no host")

    clone: Any = SimpleNamespace(name="drill", log=lambda output: None)
    return runner.run_drill(Drill("a-drill", "it breaks", act), clone)


def test_hosts_and_alarms_that_fire_are_recorded_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states: dict[str, str] = {}

    def describe_alarms() -> dict[str, Any]:
        names = {name: f"timeservice-local-balancer-{name}-1A2B" for name in states}
        alarms = [{"AlarmName": names[name], "StateValue": states[name]} for name in states]
        return {"MetricAlarms": alarms}

    cloudwatch = SimpleNamespace(describe_alarms=describe_alarms)
    monkeypatch.setattr(Trial, "aws", lambda trial, service: cloudwatch)
    actions = {}

    def repeat(action: Any, period: float) -> Any:
        actions[period] = action
        return nullcontext()

    monkeypatch.setattr(runner, "repeat", repeat)
    drill = trial_of(old="healthy", lost="unhealthy", gone="draining", new="initial")
    states |= {"BalancerErrorsAlarm": "OK", "Alarm": "ALARM"}
    with runner.record(drill):
        actions[0.5]()
        actions[5.0]()
        # The healthcheck's alarm fired in the drill before.
        assert drill.alarms == set()
        states |= {"BalancerErrorsAlarm": "ALARM", "Alarm": "OK"}
        actions[5.0]()
        assert drill.alarms == {"BalancerErrors"}
        states |= {"BalancerErrorsAlarm": "INSUFFICIENT_DATA", "Alarm": "ALARM"}
        actions[5.0]()
    assert [look.healthy for look in drill.looks] == [1, 1]
    assert drill.alarms == {"BalancerErrors", "healthcheck"}


def test_a_drill_records_the_hosts_and_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Request(1.0, 0.1, 200))
    assert result.broken == []
    assert result.looks
    assert {look.healthy for look in result.looks} == {2}


def test_a_drill_that_raises_an_error_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Request(1.0, 0.1, 200), error=True)
    assert result.broken == ["the drill itself ends (ValueError: no host)"]


def test_a_deployment_that_cannot_be_restored_fails_the_drill_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def deploy(clone: object) -> None:
        raise UserError("make up fails")

    monkeypatch.setattr(runner, "deploy", deploy)
    monkeypatch.setattr(runner, "Containers", lambda name: None)
    clone: Any = SimpleNamespace(name="drill", log=lambda output: None)
    result = runner.run_drill(DRILLS["host-dies"], clone)
    assert result.broken[0] == "the drill itself ends (UserError: make up fails)"


def test_a_drill_without_a_request_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch).broken == ["there is a load"]


def test_a_wrong_time_fails_every_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, Request(1.0, 0.1, 200, wrong=1.5))
    assert result.broken == ["no response is more than 1 s wrong (1.50 s)"]


def test_the_requests_of_a_load_are_kept_when_its_block_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def run_load(url: str, rate: float) -> Iterator[list[Request]]:
        requests: list[Request] = []
        try:
            yield requests
        finally:
            requests.append(Request(1.0, 0.1, 200))

    monkeypatch.setattr(trial, "run_load", run_load)
    clone: Any = SimpleNamespace(url="http://127.0.0.1:8080")
    drill = trial_of()
    drill.clone = clone
    before = time.time()
    with pytest.raises(LookupError), drill.load():
        raise LookupError
    assert len(drill.requests) == 1
    assert before <= drill.fault_at <= time.time()


def test_an_action_is_repeated_although_it_fails() -> None:
    calls: list[int] = []
    enough = threading.Event()

    def act() -> None:
        calls.append(1)
        if len(calls) == 3:
            enough.set()
        raise OSError

    with repeat(act, 0.001):
        assert enough.wait(PATIENCE)


def ntp_request() -> bytes:
    return struct.pack("!B47s", 0x23, bytes(39) + b"uniquely")


def test_a_client_accepts_the_time_server_that_lies() -> None:
    before = int(time.time())
    response = time_server.respond(ntp_request(), 3.0)
    assert len(response) == 48
    assert response[24:32] == ntp_request()[40:]
    seconds = struct.unpack("!I", response[40:44])[0] - 2_208_988_800
    assert before + 3 <= seconds <= time.time() + 3


def test_the_kiss_of_death_has_stratum_0_and_its_code() -> None:
    response = time_server.respond(ntp_request(), None)
    assert (len(response), response[1], response[12:16]) == (48, 0, b"DENY")
