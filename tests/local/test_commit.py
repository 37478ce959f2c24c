"""make status and make logs name the commit of each release, beside its digest."""

from __future__ import annotations

from typing import Any

import pytest

from deployment.errors import UserError
from local import logs, status

RELEASE = "timeservice-local-hosts-6a936518f99b"
STACKS = [
    {"StackName": "timeservice-local-network", "Tags": [{"Key": "project", "Value": "x"}]},
    {
        "StackName": RELEASE,
        "Tags": [{"Key": "commit", "Value": "120001c0ffee+"}],
        "Outputs": [
            {"OutputKey": "Group", "OutputValue": "group"},
            {"OutputKey": "Release", "OutputValue": "6a936518f99b"},
        ],
    },
]
HOST = {
    "instance": "i-1",
    "zone": "us-east-1a",
    "group": "group",
    "state": "healthy",
    "replaced_at": None,
    "address": "10.0.0.1",
}


class Cloud:
    """A deployment with a host, and without logs."""

    port = 8080

    def endpoint(self) -> str:
        return "http://nowhere"

    def hosts(self) -> list[Any]:
        return [HOST]

    def machines(self) -> list[Any]:
        return []

    def all(self) -> list[Any]:
        return [HOST]

    def check_up(self) -> None:
        pass

    def get(self, role: str) -> None:
        pass

    def run(self, *command: str) -> str:
        return ""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Any:
    stacks = [
        {**stack, "StackStatus": "CREATE_COMPLETE", "CreationTime": time}
        for time, stack in enumerate(STACKS)
    ]
    for module in (logs, status):
        monkeypatch.setattr(module, "list_stacks", lambda endpoint: stacks)
        monkeypatch.setattr(module, "read_log", lambda endpoint, stacks: [])
    monkeypatch.setattr(status, "print_alarms", lambda cloudwatch: None)
    return Cloud()


def test_the_status_of_a_host_names_the_commit_of_its_release(
    cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status.status(cloud) == 0
    (host,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("host")]
    assert "i-1  release 6a936518f99b commit 120001c0ffee+  " in host


def test_the_logs_begin_with_the_commit_of_each_release(
    cloud: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert logs.logs(cloud, "", follow=False) == 0
    assert capsys.readouterr().out == f"--- {RELEASE}, commit 120001c0ffee+\n"


def test_logs_are_read_without_the_local_api(
    cloud: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(endpoint: str) -> None:
        raise UserError("the local cloud is not up")

    monkeypatch.setattr(logs, "list_stacks", fail)
    assert logs.logs(cloud, "", follow=False) == 0
    assert capsys.readouterr().out == ""
