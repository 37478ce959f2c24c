"""make destroy: it empties the bucket when Pulumi has tried to delete it, and after no refusal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from deployment import state
from ops import destroy
from ops.target import Target

FAILS = "echo DELETE_FAILED >>events; exit 1"
REFUSED = "exit 255"
WORKS = "exit 0"


class CloudFormation:
    """Stack events as the stub of pulumi has written them into a file."""

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        assert StackName == "timeservice-prod-artifacts"
        if Path("events").exists():
            return {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}
        message = "Stack with id timeservice-prod-artifacts does not exist"
        raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "x")

    def describe_stack_events(self, StackName: str) -> dict[str, Any]:
        lines = enumerate(Path("events").read_text().split())
        events = [{"EventId": str(number), "ResourceStatus": status} for number, status in lines]
        return {"StackEvents": events[::-1]}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command, with a pulumi that does these things in turn; return code and calls."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(state, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    target = Target("timeservice-prod", "us-east-1", lambda _: CloudFormation())
    monkeypatch.setattr(destroy, "get_target", lambda _: target)
    calls: list[str] = []

    def empty(_: Target) -> str:
        calls.append("empty")
        return "1 deleted."

    monkeypatch.setattr(destroy, "empty_bucket", empty)

    def run(*behaviours: str, left: int = 0) -> tuple[int, list[str]]:
        def print_leftovers(_: object) -> int:
            calls.append("leftovers")
            return left

        monkeypatch.setattr(destroy, "print_leftovers", print_leftovers)
        for number, behaviour in enumerate(behaviours, 1):
            Path(f"behaviour-{number}").write_text(behaviour)
        stub = Path("pulumi")
        stub.write_text('#!/bin/bash\necho "$*" >>calls\nsource ./behaviour-$(grep -c . calls)\n')
        stub.chmod(0o755)
        code = destroy.main(["--stack", "prod"])
        return code, [*Path("calls").read_text().splitlines(), *calls]

    return run


ASKED = "destroy --stack prod"


def test_the_bucket_is_emptied_when_pulumi_could_not_delete_it(run: Any) -> None:
    Path("events").write_text("CREATE_COMPLETE\n")
    assert run(FAILS, WORKS) == (0, [ASKED, ASKED, "empty", "leftovers"])


@pytest.mark.parametrize(
    "events",
    [
        None,
        "CREATE_COMPLETE",
        "CREATE_COMPLETE DELETE_IN_PROGRESS DELETE_FAILED",  # of an earlier run
    ],
)
def test_a_refusal_is_the_end(
    events: str | None, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    if events:
        Path("events").write_text(events)
    assert run(REFUSED) == (255, [ASKED])
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "")


def test_a_refusal_of_the_second_question_is_the_end(run: Any) -> None:
    Path("events").write_text("DELETE_FAILED\n")
    assert run(FAILS, REFUSED) == (255, [ASKED, ASKED, "empty"])


def test_a_failure_before_the_bucket_is_the_end(run: Any) -> None:
    Path("events").write_text("CREATE_COMPLETE\n")
    assert run("exit 1") == (1, [ASKED])


@pytest.mark.parametrize(("left", "code"), [(0, 0), (1, 1), (3, 0)])
def test_what_may_not_be_listed_fails_nothing_and_what_is_left_does(
    left: int, code: int, run: Any
) -> None:
    assert run(WORKS, left=left) == (code, [ASKED, "leftovers"])


def test_aws_that_cannot_be_asked_empties_nothing(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> str:
        raise NoCredentialsError

    monkeypatch.setattr(destroy, "find_failed_deletion", refuse)
    assert run(FAILS) == (1, [ASKED])
    assert "requests to AWS fail, so no bucket is emptied" in capsys.readouterr().err
