"""The check as a Lambda function, with a stand-in for CloudWatch."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from healthcheck.handler import METRICS, handler
from tests.support.healthcheck_runs import widest_bound
from tests.support.healthcheck_servers import Behaviour, ntp, time_service, web


class CloudWatch:
    """It keeps the metrics and their namespace. broken: it refuses all metrics."""

    def __init__(self) -> None:
        self.metrics: dict[str, dict[str, Any]] = {}
        self.namespace = ""
        self.broken = False
        self.config: Any = None

    def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        if self.broken:
            raise ConnectionError("CloudWatch is away")
        self.namespace = Namespace
        self.metrics = {metric["MetricName"]: metric for metric in MetricData}

    def value(self, name: str) -> float | None:
        return self.metrics[name]["Value"] if name in self.metrics else None

    def clock_holds(self, error: float) -> bool:
        """Return whether ClockOffset and ClockBound hold the error."""
        offset, bound = (self.metrics[name]["Value"] for name in ("ClockOffset", "ClockBound"))
        return bool(abs(offset - error) <= bound + 1e-5)


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> CloudWatch:
    stand_in = CloudWatch()

    def client(name: str, config: Any) -> CloudWatch:
        stand_in.config = config
        return {"cloudwatch": stand_in}[name]

    boto3 = types.SimpleNamespace(client=client)
    monkeypatch.setitem(sys.modules, "boto3", boto3)
    monkeypatch.setenv("METRIC_NAMESPACE", "timeservice")
    monkeypatch.setenv("DEPLOYMENT", "test")
    return stand_in


@contextlib.contextmanager
def service_environment(
    monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour, *shifts: float
) -> Iterator[None]:
    """Start a service and NTP servers with fast clocks, and name them in the function's
    environment."""
    with contextlib.ExitStack() as stack:
        monkeypatch.setenv("TIMESERVICE_URL", stack.enter_context(web(behaviour)).url)
        servers = [stack.enter_context(ntp(shift=shift)).name for shift in shifts]
        monkeypatch.setenv("HEALTHCHECK_NTP", ", ".join(servers) or "127.0.0.1:port")
        yield


def test_ok(
    monkeypatch: pytest.MonkeyPatch, cloudwatch: CloudWatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with service_environment(monkeypatch, time_service(0.3), 0, 0, 0):
        assert handler({}, None) == "OK"
    assert cloudwatch.namespace == "timeservice"
    assert set(cloudwatch.metrics) == set(METRICS)
    assert cloudwatch.value("Healthy") == 1
    assert cloudwatch.clock_holds(0.3)
    assert cloudwatch.value("InstancesSeen") == 1
    assert {metric["Unit"] for metric in cloudwatch.metrics.values()} == {
        "None",
        "Seconds",
        "Count",
    }
    for metric in cloudwatch.metrics.values():
        assert metric["Dimensions"] == [{"Name": "Deployment", "Value": "test"}]
    record = json.loads(capsys.readouterr().out)
    assert (record["status"], record["reference"]["kind"]) == ("OK", "ntp")
    assert 0 < record["bound"] <= widest_bound(record["phases"])
    assert cloudwatch.value("ClockBound") == pytest.approx(record["bound"], abs=1e-6)


def test_metrics_are_written_before_the_function_must_end(
    monkeypatch: pytest.MonkeyPatch, cloudwatch: CloudWatch
) -> None:
    with service_environment(monkeypatch, time_service(), 0):
        handler({}, None)
    config = cloudwatch.config
    assert (config.connect_timeout, config.read_timeout) == (2, 4)
    assert config.retries == {"total_max_attempts": 2}


@pytest.mark.parametrize(
    ("url", "broken", "start"),
    [
        ("http://127.0.0.1:9", False, b'{"status": "Failed"'),
        ("http://127.0.0.1:9", True, b"metrics not written: CloudWatch is away"),
        ("ftp://x", False, b"no check was made: "),
    ],
)
def test_each_line_is_written_at_once(
    monkeypatch: pytest.MonkeyPatch, cloudwatch: CloudWatch, url: str, broken: bool, start: bytes
) -> None:
    """Lambda freezes the process between two runs."""
    log = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(log))
    cloudwatch.broken = broken
    with service_environment(monkeypatch, time_service(), 0):
        monkeypatch.setenv("TIMESERVICE_URL", url)
        handler({}, None)
    assert log.getvalue().splitlines()[-1].startswith(start)


def test_a_wrong_clock(monkeypatch: pytest.MonkeyPatch, cloudwatch: CloudWatch) -> None:
    with service_environment(monkeypatch, time_service(-3), 0, 0, 0):
        assert handler({}, None) == "Failed"
    assert cloudwatch.value("Healthy") == 0
    assert cloudwatch.clock_holds(-3)


def test_a_service_that_is_down(monkeypatch: pytest.MonkeyPatch, cloudwatch: CloudWatch) -> None:
    with service_environment(monkeypatch, time_service(), 0):
        monkeypatch.setenv("TIMESERVICE_URL", "http://127.0.0.1:9")
        assert handler({}, None) == "Failed"
    assert set(cloudwatch.metrics) == {"Healthy"}
    assert cloudwatch.value("Healthy") == 0


@pytest.mark.parametrize("shifts", [(), (0, 50), (20, 50)], ids=["silent", "split", "all wrong"])
def test_trouble_with_the_reference_alone_does_not_alarm(
    monkeypatch: pytest.MonkeyPatch,
    cloudwatch: CloudWatch,
    capsys: pytest.CaptureFixture[str],
    shifts: tuple[float, ...],
) -> None:
    with service_environment(monkeypatch, time_service(), *shifts):
        assert handler({}, None) == "OK"
    assert cloudwatch.value("Healthy") == 1
    assert json.loads(capsys.readouterr().out)["reference"]["kind"] == "local"


def test_what_stays_unknown_alarms_by_its_silence(
    monkeypatch: pytest.MonkeyPatch, cloudwatch: CloudWatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with service_environment(monkeypatch, time_service(30)):
        assert handler({}, None) == "Failed"
    assert cloudwatch.value("Healthy") is None
    assert cloudwatch.clock_holds(30)
    assert json.loads(capsys.readouterr().out)["status"] == "Unknown"


@pytest.mark.parametrize(("shift", "word"), [(0, "OK"), (3, "Failed")])
def test_a_metric_that_cannot_be_written_is_reported_and_not_raised(
    monkeypatch: pytest.MonkeyPatch,
    cloudwatch: CloudWatch,
    capsys: pytest.CaptureFixture[str],
    shift: float,
    word: str,
) -> None:
    cloudwatch.broken = True
    with service_environment(monkeypatch, time_service(shift), 0):
        assert handler({}, None) == word
    assert capsys.readouterr().out.endswith("metrics not written: CloudWatch is away\n")


@pytest.mark.parametrize(("limit", "word"), [("0.2", "Failed"), ("0.5", "OK"), ("", "OK")])
def test_the_limit_is_the_stacks(
    monkeypatch: pytest.MonkeyPatch, cloudwatch: CloudWatch, limit: str, word: str
) -> None:
    monkeypatch.setenv("HEALTHCHECK_LIMIT", limit)
    with service_environment(monkeypatch, time_service(0.3), 0, 0, 0):
        assert handler({}, None) == word


@pytest.mark.parametrize(
    ("name", "value"), [("TIMESERVICE_URL", "ftp://x"), ("HEALTHCHECK_LIMIT", "one")]
)
def test_a_wrong_setting_is_reported_and_not_raised(
    monkeypatch: pytest.MonkeyPatch,
    cloudwatch: CloudWatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
) -> None:
    with service_environment(monkeypatch, time_service(), 0):
        monkeypatch.setenv(name, value)
        assert handler({}, None) == "Failed"
    assert capsys.readouterr().out.startswith("no check was made: ")
    assert cloudwatch.metrics == {}


def test_importing_the_check_does_not_need_boto3() -> None:
    code = (
        "import sys; sys.modules['boto3'] = None; import healthcheck.handler, healthcheck.__main__"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
