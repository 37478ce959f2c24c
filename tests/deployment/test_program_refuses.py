"""The program refuses bad inputs before anything is made; good settings reach their templates."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

import deployment.release
import deployment.settings
import deployment.template
from deployment.errors import SettingError, UserError
from deployment.release import Archive
from deployment.settings import FEEDS, LEFT_OUT, Settings, check_unchanged
from deployment.template import read_template
from tests.support.engine import PROJECT, Engine

pytestmark = pytest.mark.usefixtures("archives")


def test_every_setting_is_declared_described_and_has_an_allowed_default() -> None:
    declared = PROJECT["config"]
    assert set(declared) == {*FEEDS, "preflight", "quotaCheck", "protect"}
    for key, setting in declared.items():
        assert setting["description"].endswith("."), key
    for key, (part, parameter) in FEEDS.items():
        default = str(declared[key]["default"])
        allowed = read_template(part).find_fault(parameter, default) is None
        assert allowed or LEFT_OUT.get(key) == default, key


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("instanceType", "m5.24xlarge", "one of t3.micro, t3.small, t4g.micro, t4g.small"),
        ("cpuCredits", "infinite", "one of standard, unlimited"),
        ("minHosts", "1", "from 2 to 100"),
        ("maxHosts", "101", "from 2 to 100"),
        ("maxHosts", "many", "from 2 to 100"),
        ("requestsPerMinute", "0", "from 1 to 10000000"),
        ("secondOctet", "256", "from 0 to 255"),
        ("secondOctet", "-1", "from 0 to 255"),
        ("secondOctet", "ten", "from 0 to 255"),
        ("zoneIndexA", "6", "from 0 to 5"),
        ("alertEmail", "nobody", "ops@example.org"),
        ("limit", "0", "above 0"),
        ("limit", "soon", "above 0"),
        ("ntpServers", "time.aws.com time1.google.com", "commas"),
        ("checkEvery", "2", "one of 1, 5, 15"),
        ("publicUrl", "example.org", "a URL, such as http://example.org, or empty"),
        ("budget", "-1", "from 1 to 10000"),
        ("budget", "10001", "from 1 to 10000"),
        ("budget", "1.50", "from 1 to 10000, or 0"),
        ("reviewer", "admin", "one of user, role, or none"),
        ("preflight", "no", "true or false"),
        ("quotaCheck", "yes", "true or false"),
        ("protect", "", "true or false"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_made(
    key: str, value: str, allowed: str
) -> None:
    engine = Engine()
    with pytest.raises(pulumi.RunError) as refused:
        engine.run({key: value})
    text = str(refused.value)
    assert text.startswith(f"the setting {key} is {value!r}: must be ")
    assert allowed in text
    assert text.endswith(f". Run: pulumi config set {key} VALUE")
    assert engine.resources == {}


@pytest.mark.parametrize(
    ("key", "value", "parameter"),
    [
        ("instanceType", "t3.small", "hosts.InstanceType"),
        ("cpuCredits", "unlimited", "hosts.CpuCredits"),
        ("maxHosts", "6", "hosts.MaxHosts"),
        ("requestsPerMinute", "24000", "hosts.RequestsPerMinute"),
        ("secondOctet", "7", "network.SecondOctet"),
        ("zoneIndexA", "2", "network.ZoneIndexA"),
        ("zoneIndexB", "3", "network.ZoneIndexB"),
        ("alertEmail", "ops@example.org", "balancer.AlertEmail"),
        ("limit", "0.5", "healthcheck.Limit"),
        ("ntpServers", "time.aws.com,[2001:db8::1]:123", "healthcheck.NtpServers"),
        ("checkEvery", "5", "healthcheck.EveryMinutes"),
        ("publicUrl", "http://10.0.0.1:8080", "healthcheck.Url"),
    ],
)
def test_a_setting_reaches_its_parameter(key: str, value: str, parameter: str) -> None:
    part, name = parameter.split(".")
    assert FEEDS[key] == (part, name)
    assert Engine().run({key: value}).stacks()[part]["parameters"][name] == value


def test_the_minimum_reaches_the_group_and_the_alarm() -> None:
    stacks = Engine().run({"minHosts": "3", "maxHosts": "3"}).stacks()
    assert FEEDS["minHosts"] == ("hosts", "MinHosts")
    for part in ("hosts", "balancer"):
        assert stacks[part]["parameters"]["MinHosts"] == "3", part


ROLE = {"reviewer": "role", "reviewerAccount": "ACCOUNT", "reviewerExternalId": "WORD"}
BUDGET = {"budget": "20", "alertEmail": "ADDRESS"}


@pytest.mark.parametrize(
    ("config", "complaint", "together"),
    [
        (
            {"minHosts": "3"},
            "maxHosts is '2': must be at least minHosts, which is 3",
            {"minHosts": "3", "maxHosts": "3"},
        ),
        # The sizes are compared as numbers. As texts, 9 would be more than 10.
        (
            {"minHosts": "10", "maxHosts": "9"},
            "maxHosts is '9': must be at least minHosts, which is 10",
            {"minHosts": "10", "maxHosts": "10"},
        ),
        (
            {"zoneIndexB": "0"},
            "zoneIndexB is '0': must differ from zoneIndexA",
            {"zoneIndexA": "0", "zoneIndexB": "1"},
        ),
        (
            {"zoneIndexA": "1"},
            "zoneIndexB is '1': must differ from zoneIndexA",
            {"zoneIndexA": "1", "zoneIndexB": "0"},
        ),
        ({"budget": "20"}, "alertEmail is '': must be set, because budget is 20", BUDGET),
        ({"reviewer": "role"}, "reviewerAccount is '': must be set", ROLE),
        (
            {"reviewer": "role", "reviewerAccount": "123456789012"},
            "reviewerExternalId is '': must be set",
            ROLE | {"reviewerAccount": "123456789012"},
        ),
        (
            {"reviewer": "role", "reviewerExternalId": "review-1"},
            "reviewerAccount is '': must be set",
            ROLE | {"reviewerExternalId": "review-1"},
        ),
    ],
    ids=str,
)
def test_settings_that_depend_on_each_other_are_refused_with_all_that_must_be_set(
    config: dict[str, str], complaint: str, together: dict[str, str]
) -> None:
    engine = Engine()
    with pytest.raises(pulumi.RunError) as refused:
        engine.run(config)
    commands = [f"pulumi config set {key} {value}" for key, value in together.items()]
    assert str(refused.value).startswith(f"the setting {complaint}")
    assert str(refused.value).endswith(f". Run: {' && '.join(commands)}")
    assert engine.resources == {}
    if not {"ACCOUNT", "WORD", "ADDRESS"} & set(together.values()):
        assert "hosts" in Engine().run(config | together).stacks()


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("minHost", "did you mean minHosts?"),
        ("MINHOSTS", "did you mean minHosts?"),
        ("tea", f"those in Pulumi.yaml are: {', '.join(PROJECT['config'])}"),
    ],
)
def test_a_misspelt_setting_is_refused(key: str, remedy: str) -> None:
    engine = Engine()
    with pytest.raises(pulumi.RunError) as refused:
        engine.run({key: "3"})
    assert str(refused.value) == (
        f"there is no setting {key!r}; {remedy}\nRun: pulumi config rm {key}"
    )
    assert engine.resources == {}


def test_settings_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider's Region is in the same configuration, under another name."""
    monkeypatch.setenv("PULUMI_CONFIG", '{"aws:region": "eu-west-1"}')
    assert "hosts" in Engine().run().stacks()


def test_a_name_too_long_for_the_reviewer_s_policy_is_refused_with_a_reviewer_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        deployment.settings, "get_deployment_name", lambda: "timeservice-" + "x" * 49
    )
    assert "hosts" in Engine().run().stacks()
    engine = Engine()
    with pytest.raises(
        pulumi.RunError, match="cannot have a reviewer, because of its name: must be"
    ):
        engine.run({"reviewer": "user"})
    assert engine.resources == {}
    monkeypatch.setattr(
        deployment.settings, "get_deployment_name", lambda: "timeservice-" + "x" * 48
    )
    assert "reviewer" in Engine().run({"reviewer": "user"}).stacks()


@pytest.mark.parametrize("stack", ["my_prod", "v1.2", "x" * 98])
def test_a_name_that_no_stack_on_aws_can_have_is_refused(
    stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment.settings, "get_deployment_name", lambda: f"timeservice-{stack}")
    engine = Engine()
    with pytest.raises(pulumi.RunError) as refused:
        engine.run()
    assert str(refused.value) == (
        f"the deployment's name 'timeservice-{stack}' does not fit into the names of its stacks: "
        "give a letter, then at most 108 letters, digits and hyphens. Run: pulumi stack rename NAME"
    )
    assert engine.resources == {}


def describe(parameters: dict[str, str]) -> dict[str, Any]:
    """Return the network's stack as CloudFormation's API describes it."""
    items = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    return {"StackName": "timeservice-test-network", "Parameters": items}


@pytest.mark.parametrize(
    ("parameter", "key"),
    [("SecondOctet", "secondOctet"), ("ZoneIndexA", "zoneIndexA"), ("ZoneIndexB", "zoneIndexB")],
)
def test_a_network_that_is_deployed_does_not_move(parameter: str, key: str) -> None:
    Engine().run()
    settings = Settings.load()
    deployed = {"SecondOctet": "42", "ZoneIndexA": "0", "ZoneIndexB": "1"}
    artifacts = {"StackName": "timeservice-test-artifacts"}
    check_unchanged(settings, [artifacts, describe(deployed)])
    with pytest.raises(SettingError) as refused:
        check_unchanged(settings, [artifacts, describe(deployed | {parameter: "5"})])
    assert (refused.value.key, refused.value.together) == (key, {key: "5"})
    assert "cannot change while the network is deployed, which has 5" in str(refused.value)


def test_a_misspelt_setting_is_found_in_what_the_engine_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", '{"timeservice:minHost": "3"}')
    with pytest.raises(pulumi.RunError, match="there is no setting 'minHost'"):
        Engine().run()


def test_an_outdated_archive_is_refused_with_the_command_that_makes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(kind: str) -> Archive:
        raise UserError(f"run `make {kind}`")

    monkeypatch.setattr(deployment.release, "archive", refuse)
    engine = Engine()
    with pytest.raises(pulumi.RunError, match="run `make image-x86_64`"):
        engine.run()
    assert engine.resources == {}


def test_a_file_that_is_no_template_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise UserError("cfn/network.yaml cannot be used: not YAML")

    monkeypatch.setattr(deployment.template, "read_all", broken)
    engine = Engine()
    with pytest.raises(pulumi.RunError, match=r"cfn/network\.yaml cannot be used"):
        engine.run()
    assert engine.resources == {}
