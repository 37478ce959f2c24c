"""Settings on the command line, and the configuration that the program gets."""

from __future__ import annotations

import pytest

from deployment.errors import UserError
from local.project import configuration, parse_config


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
        ("limit='1", "cannot be read (No closing quotation): limit='1"),
        ("minHosts=3 minHosts=3", "minHosts is given twice: '3' and '3'"),
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
    values = configuration({"secondOctet": "7"})
    assert values["timeservice:instanceType"] == "t3.micro"  # Pulumi.yaml
    assert values["timeservice:protect"] == "false"
    assert values["timeservice:preflight"] == "false"  # Pulumi.local.yaml
    assert values["timeservice:secondOctet"] == "7"
    assert values["aws:region"] == "us-east-1"
