"""make preflight: a line for each result, and the exit code."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from deployment.preflight import OK, REFUSED, UNKNOWN, Result
from local import program
from ops import preflight
from ops.target import Target


@pytest.mark.parametrize(("state", "code"), [(OK, 0), (UNKNOWN, 0), (REFUSED, 1)])
def test_each_result_is_a_line_and_what_is_refused_fails(
    state: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [Result("zones", OK, "a and b"), Result("vCPU quota", state, "8 of 8")]
    checks = SimpleNamespace(arn="arn:me", run=lambda: results)
    target = Target("timeservice-prod", "eu-west-1", lambda _: None)
    monkeypatch.setattr(preflight, "get_target", lambda _: target)
    monkeypatch.setattr(program, "load_settings", lambda *_: None)
    monkeypatch.setattr(preflight, "Preflight", lambda *_: checks)
    assert preflight.main(["--stack", "prod"]) == code
    assert capsys.readouterr().out.splitlines()[:3] == [
        "timeservice-prod in eu-west-1, by arn:me",
        "ok       zones                 a and b",
        f"{state:<8} vCPU quota            8 of 8",
    ]


def test_a_stack_on_aws_must_be_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("STACK", raising=False)
    with pytest.raises(SystemExit) as ended:
        preflight.main([])
    assert ended.value.code == 2
    assert "error: name the stack: make preflight STACK=prod\n" in capsys.readouterr().err
    assert preflight.main(["--stack", "local"]) == 3
    assert "the local cloud has no quotas" in capsys.readouterr().err
