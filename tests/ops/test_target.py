"""Which deployment a command is about, and in which Region."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from deployment.errors import UserError
from ops import target

PROD = argparse.Namespace(stack="prod", name="timeservice")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    (tmp_path / "Pulumi.yaml").write_text("name: timeservice")
    monkeypatch.setattr(target, "ROOT", tmp_path)
    return tmp_path


def test_the_region_is_pulumi_s_and_then_this_machine_s(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="no Region is configured"):
        target.get_target(PROD)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert target.get_target(PROD).region == "us-west-2"
    monkeypatch.setenv("AWS_REGION", "us-west-1")
    assert target.get_target(PROD).region == "us-west-1"
    (root / "Pulumi.prod.yaml").write_text("config:\n  aws:region: eu-west-1\n")
    found = target.get_target(PROD)
    assert (found.deployment, found.region) == ("timeservice-prod", "eu-west-1")
    assert found.client("ec2").meta.region_name == "eu-west-1"
