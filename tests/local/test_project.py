"""Settings on the command line, and the configuration that the program gets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from deployment import ROOT
from deployment.errors import UserError
from local import project, up
from local.containers import Containers
from local.project import get_configuration, parse_config, read_config, write_config
from local.steps import SETTINGS
from local.up import start_alone


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", {}),
        ("minHosts=3  maxHosts=4\n", {"minHosts": "3", "maxHosts": "4"}),
        ("alertEmail=", {"alertEmail": ""}),
        ("reviewerExternalId=a=b", {"reviewerExternalId": "a=b"}),
        ("ntpServers='a, b' limit=\"2\"", {"ntpServers": "a, b", "limit": "2"}),
    ],
)
def test_settings_are_written_as_words_of_a_shell(text: str, settings: dict[str, str]) -> None:
    assert parse_config(text) == settings


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("instanceType", "'instanceType' is not KEY=VALUE"),
        ("=5", "'=5' is not KEY=VALUE"),
        (";touch x", "';touch' is not KEY=VALUE"),
        ("limit='1", "cannot be read (No closing quotation): limit='1. Quote"),
        ("minHosts=3 minHosts=3", "CONFIG has minHosts twice, '3' and '3': give it once"),
        ("minhosts=3", "there is no setting 'minhosts'; did you mean minHosts?"),
        ("maxHost=3", "there is no setting 'maxHost'; did you mean maxHosts?"),
        ("colour=red", "no setting 'colour'; those in Pulumi.yaml are: instanceType, cpuCredits,"),
        ("aws:region=eu-west-1", "there is no setting 'aws:region'"),
    ],
)
def test_what_is_no_setting_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_config(text)
    assert complaint in str(refused.value)


def test_configuration_is_the_defaults_then_the_stack_s_then_the_user_s() -> None:
    values = get_configuration({"secondOctet": "7"})
    assert values["timeservice:instanceType"] == "t3.micro"  # Pulumi.yaml
    assert values["timeservice:protect"] == "false"
    assert values["timeservice:preflight"] == "false"  # AWS alone has what it asks for
    assert values["timeservice:secondOctet"] == "7"
    assert values["aws:region"] == "us-east-1"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(project, "ROOT", tmp_path)
    return tmp_path


def test_make_cloud_writes_what_pulumi_s_provider_needs_for_this_deployment(root: Path) -> None:
    write_config("http://10.9.0.2:4566", "http://10.9.0.3", "arm64")
    config = read_config("local")
    assert config["timeservice:publicUrl"] == "http://10.9.0.3"
    assert config["local:architecture"] == "arm64"
    (endpoints,) = config["aws:endpoints"]
    assert set(endpoints.values()) == {"http://10.9.0.2:4566"}
    assert {"cloudformation", "s3", "iam", "ssm", "ec2", "sts"} <= set(endpoints)


def test_make_cloud_keeps_what_the_user_and_pulumi_have_set(root: Path) -> None:
    write_config("http://10.9.0.2:4566", "http://10.9.0.3", "x86_64")
    file = root / "Pulumi.local.yaml"
    text = file.read_text() + "encryptionsalt: v1:x\n"
    file.write_text(text.replace("config:\n", "config:\n  timeservice:limit: '0.5'\n"))
    write_config("http://10.9.0.9:4566", "http://10.9.0.8", "x86_64")
    assert "encryptionsalt: v1:x\n" in file.read_text()
    config = read_config("local")
    assert config["timeservice:limit"] == "0.5"
    assert config["aws:endpoints"][0]["sts"] == "http://10.9.0.9:4566"


def test_a_stack_without_a_file_is_refused_with_the_command_that_makes_both(root: Path) -> None:
    with pytest.raises(UserError, match=r"no Pulumi\.prod\.yaml: run pulumi stack init prod, or"):
        read_config("prod")


def test_make_up_does_not_read_what_pulumi_deploys_with(root: Path) -> None:
    write_config("http://10.9.0.2:4566", "http://10.9.0.3", "x86_64")
    assert get_configuration({})["timeservice:publicUrl"] == ""


def test_the_file_of_make_cloud_belongs_to_the_owner_of_the_clone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pulumi CLI, which the user runs, writes into it too."""
    owners: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(os, "chown", lambda *arguments: owners.append(arguments))
    write_config("http://10.9.0.2:4566", "http://10.9.0.3", "x86_64")
    status = root.stat()
    assert owners == [(root / "Pulumi.local.yaml", status.st_uid, status.st_gid)]


def test_the_file_of_make_cloud_is_not_committed() -> None:
    command = ["git", "check-ignore", "--quiet", "--no-index", "Pulumi.local.yaml"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_make_cloud_is_refused_where_make_up_has_deployed(tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text("{}")
    with pytest.raises(UserError, match=r"make up has deployed here.*: run make down first"):
        start_alone(Containers.__new__(Containers), tmp_path)


def test_make_cloud_says_what_to_type_next(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = SimpleNamespace(
        engine=None,
        port=8081,
        endpoint=lambda: "http://10.9.0.2:4566",
        address=lambda role: f"{role}.test",
    )
    monkeypatch.setattr(up, "start", lambda _: True)
    monkeypatch.setattr(up, "get_architecture", lambda _: "x86_64")
    assert start_alone(cloud, root) == 0  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    for command in ("make image package", "pulumi stack init local", "pulumi up"):
        assert command in printed
    # Only Linux reaches a container's address, which the output `url` has.
    assert "http://127.0.0.1:8081/" in printed
    assert read_config("local")["timeservice:publicUrl"] == "http://balancer.test"
