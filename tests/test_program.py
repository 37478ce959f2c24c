"""The Pulumi program and the templates agree, and nothing is made that could not work."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

import deployment.release
import deployment.template
from deployment import quota
from deployment.release import Archive, OutdatedArchive
from deployment.settings import FEEDS, LEFT_OUT
from deployment.template import BadTemplate, Template, read
from tests.engine import PROJECT, Engine
from tests.templates import TEMPLATES, the

ROOT = Path(__file__).parent.parent
# With these, the optional stacks are deployed as well.
ALL = {"budget": "20", "alertEmail": "ops@example.org", "reviewer": "user"}


@pytest.fixture(autouse=True)
def archives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Stand-ins for the built archives; the digests in it may be changed."""
    digests = {"image": "1" * 12, "package": "2" * 12}
    file = tmp_path / "archive"
    file.write_bytes(b"")
    monkeypatch.setattr(
        deployment.release, "archive", lambda kind: Archive(file, digests[kind]), raising=True
    )
    return digests


def test_every_template_is_deployed_in_order_of_dependence() -> None:
    assert list(Engine().run().stacks()) == [
        "artifacts",
        "network",
        "balancer",
        "hosts",
        "healthcheck",
    ]
    administrators = {"deployer"}  # makes it: what the deployer may do is not the deployer's to say
    assert set(TEMPLATES) - administrators == set(Engine().run(ALL).stacks())


def test_outputs_are_wired_into_parameters_of_the_same_meaning() -> None:
    stacks = Engine().run().stacks()
    wired = {
        f"{part}.{key}": value
        for part, made in stacks.items()
        for key, value in made.get("parameters", {}).items()
        if str(value).split(".")[0] in stacks
    }
    assert wired == {
        "network.ArtifactsBucket": "artifacts.Bucket",
        "balancer.VpcId": "network.VpcId",
        "balancer.PublicSubnets": "network.PublicSubnets",
        "balancer.BalancerSecurityGroup": "network.BalancerSecurityGroup",
        "hosts.PrivateSubnets": "network.PrivateSubnets",
        "hosts.HostSecurityGroup": "network.HostSecurityGroup",
        "hosts.TargetGroup": "balancer.TargetGroup",
        "hosts.LoadBalancer": "balancer.LoadBalancer",
        "hosts.ArtifactsBucket": "artifacts.Bucket",
        "healthcheck.Url": "balancer.Url",
        "healthcheck.AlertTopic": "balancer.AlertTopic",
        "healthcheck.ArtifactsBucket": "artifacts.Bucket",
        "healthcheck.LoadBalancer": "balancer.LoadBalancer",
        "healthcheck.TargetGroup": "balancer.TargetGroup",
        "healthcheck.Alarms": "balancer.Alarms",
    }


def test_parameters_meet_the_constraints_that_the_templates_declare() -> None:
    """Those that the program makes up itself; what other stacks give is not known here."""
    stacks = Engine().run(ALL).stacks()
    own = [
        (part, key, value)
        for part, made in stacks.items()
        for key, value in made.get("parameters", {}).items()
        if str(value).split(".")[0] not in stacks
    ]
    assert {key for _, key, _ in own} >= {"S3PrefixList", "ImageKey", "PackageKey", "Release"}
    assert [one for one in own if read(one[0]).complaint(one[1], one[2])] == []


def test_stacks_are_named_after_project_stack_and_part() -> None:
    engine = Engine().run()
    release = engine.exports["release"]
    assert {part: made["name"] for part, made in engine.stacks().items()} == {
        "artifacts": "timeservice-test-artifacts",
        "network": "timeservice-test-network",
        "balancer": "timeservice-test-balancer",
        "hosts": f"timeservice-test-hosts-{release}",
        "healthcheck": "timeservice-test-healthcheck",
    }


def test_a_stack_is_made_from_its_template_and_removes_itself_when_it_fails() -> None:
    for part, made in Engine().run(ALL).stacks().items():
        assert made["templateBody"] == (ROOT / "cfn" / f"{part}.yaml").read_text(), part
        assert made["onFailure"] == "DELETE", part
        assert made["tags"] == {"project": "timeservice", "deployment": "timeservice-test"}, part


def test_only_stacks_with_roles_may_make_roles() -> None:
    allowed = {part for part, made in Engine().run().stacks().items() if made.get("capabilities")}
    assert allowed == {"hosts", "healthcheck"}


def test_the_provider_waits_longer_than_the_wait_condition() -> None:
    engine = Engine().run()
    request = engine.requests[f"hosts-{engine.exports['release']}"]
    waits = int(the("CloudFormation::WaitCondition")["Timeout"])
    # Rolling back takes time as well: hosts to terminate, connections to drain.
    assert int(request.customTimeouts.create.removesuffix("m")) * 60 >= waits + 900


def test_archives_are_uploaded_under_their_digest_and_only_once() -> None:
    engine = Engine().run()
    image, package = engine.made[f"image-{'1' * 12}"], engine.made[f"package-{'2' * 12}"]
    assert (image["bucket"], image["key"]) == ("artifacts.Bucket", f"images/{'1' * 12}.tar.gz")
    assert (package["bucket"], package["key"]) == (
        "artifacts.Bucket",
        f"healthcheck/{'2' * 12}.zip",
    )
    assert engine.stacks()["hosts"]["parameters"]["ImageKey"] == image["key"]
    assert engine.stacks()["healthcheck"]["parameters"]["PackageKey"] == package["key"]
    assert list(engine.requests[f"image-{'1' * 12}"].ignoreChanges) == ["source"]


def test_hosts_are_deleted_before_the_image_that_they_load() -> None:
    """The engine deletes what depends on a thing before the thing."""
    engine = Engine().run()
    request = engine.requests[f"hosts-{engine.exports['release']}"]
    urns = request.propertyDependencies["parameters"].urns
    assert any(urn.endswith(f"::image-{'1' * 12}") for urn in urns)


def test_exports_are_what_people_and_the_healthcheck_need() -> None:
    engine = Engine().run()
    assert engine.exports == {
        "url": "balancer.Url",
        "release": engine.stacks()["hosts"]["parameters"]["Release"],
        "group": "hosts.Group",
        "function": "healthcheck.Function",
        "alarm": "healthcheck.Alarm",
        "dashboard": "healthcheck.Dashboard",
    }


def test_a_preview_works_while_no_output_is_known() -> None:
    assert set(Engine().run(ALL, preview=True).stacks()) == set(TEMPLATES) - {"deployer"}


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("instanceType", "m5.24xlarge", "one of t3.micro, t3.small"),
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
        ("budget", "-1", "from 1 to 10000"),
        ("budget", "10001", "from 1 to 10000"),
        ("budget", "1.50", "from 1 to 10000"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_made(
    key: str, value: str, allowed: str
) -> None:
    engine = Engine()
    with pytest.raises(pulumi.RunError) as refused:
        engine.run({key: value})
    assert f"timeservice:{key}" in str(refused.value)
    assert repr(value) in str(refused.value)
    assert allowed in str(refused.value)
    assert engine.made == {}


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


@pytest.mark.parametrize(
    "config", [{"minHosts": "3"}, {"minHosts": "10", "maxHosts": "9"}], ids=str
)
def test_a_maximum_below_the_minimum_is_refused_before_anything_is_made(
    config: dict[str, str],
) -> None:
    """As numbers, not as texts."""
    engine = Engine()
    with pytest.raises(pulumi.RunError) as refused:
        engine.run(config)
    most, least = config.get("maxHosts", "2"), config["minHosts"]
    assert (
        f"timeservice:maxHosts is {most}, which is less than timeservice:minHosts, {least}. "
        "Set it with: pulumi config set maxHosts VALUE"
    ) in str(refused.value)
    assert engine.made == {}


def test_both_zones_may_not_be_the_same() -> None:
    engine = Engine()
    with pytest.raises(pulumi.RunError, match="are the same zone"):
        engine.run({"zoneIndexB": "0"})
    assert engine.made == {}


def test_what_others_stand_in_is_never_replaced_by_an_update() -> None:
    stacks = Engine().run().stacks()
    assert [part for part, made in stacks.items() if "policyBody" in made] == ["network"]
    allowed, denied = json.loads(stacks["network"]["policyBody"])["Statement"]
    assert (allowed["Effect"], allowed["Action"], allowed["Resource"]) == ("Allow", "Update:*", "*")
    assert (denied["Effect"], denied["Action"]) == ("Deny", "Update:Replace")
    patterns = [one.removeprefix("LogicalResourceId/") for one in denied["Resource"]]
    for name, resource in TEMPLATES["network"].resources.items():
        kept = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        standing = resource["Type"] in (
            "AWS::EC2::VPC",
            "AWS::EC2::Subnet",
            "AWS::EC2::SecurityGroup",
        )
        assert kept or not standing, name


def test_every_setting_is_declared_described_and_has_an_allowed_default() -> None:
    declared = PROJECT["config"]
    assert set(declared) == {*FEEDS, "quotaCheck", "protect"}
    for key, one in declared.items():
        assert one["description"].endswith("."), key
    for key, (part, parameter) in FEEDS.items():
        default = str(declared[key]["default"])
        allowed = read(part).complaint(parameter, default) is None
        assert allowed or LEFT_OUT.get(key) == default, key


def test_a_budget_tells_whom_alarms_are_mailed_to() -> None:
    made = Engine().run({"budget": "20", "alertEmail": "ops@example.org"}).stacks()["budget"]
    assert made["parameters"] == {"Email": "ops@example.org", "LimitInDollars": "20"}
    assert "budget" not in Engine().run({"alertEmail": "ops@example.org"}).stacks()


def test_a_budget_that_nobody_would_be_told_of_is_refused_before_anything_is_made() -> None:
    engine = Engine()
    with pytest.raises(pulumi.RunError, match="budget is set, and nobody would be told"):
        engine.run({"budget": "20"})
    assert engine.made == {}


def test_protection_covers_what_carries_the_address() -> None:
    engine = Engine().run({"protect": "true"})
    protected = {name for name, request in engine.requests.items() if request.protect}
    assert protected == {"network", "balancer"}
    assert not any(request.protect for request in Engine().run().requests.values())


def test_a_quota_too_small_for_a_release_is_refused_with_the_remedies() -> None:
    engine = Engine(quota=5)
    with pytest.raises(pulumi.RunError) as refused:
        engine.run()
    assert "needs 8 vCPUs" in str(refused.value)
    assert "aws service-quotas request-service-quota-increase" in str(refused.value)
    assert "pulumi config set quotaCheck false" in str(refused.value)
    assert engine.made == {}


def test_the_quota_check_can_be_left_out() -> None:
    assert "hosts" in Engine(quota=5).run({"quotaCheck": "false"}).stacks()


def test_a_quota_that_is_just_enough_is_enough() -> None:
    assert "hosts" in Engine(quota=8).run().stacks()


@pytest.mark.parametrize(("vcpus", "enough"), [(17, False), (18, True)])
def test_the_quota_must_hold_the_old_hosts_at_their_most_and_the_new_ones_at_their_least(
    vcpus: int, enough: bool
) -> None:
    engine = Engine(quota=vcpus)
    config = {"minHosts": "3", "maxHosts": "6"}
    if enough:
        assert "hosts" in engine.run(config).stacks()
        return
    with pytest.raises(pulumi.RunError) as refused:
        engine.run(config)
    assert "needs 18 vCPUs for some minutes (6 old and 3 new hosts)" in str(refused.value)
    assert "For a first deployment alone, which needs 6:" in str(refused.value)
    assert engine.made == {}


def test_a_quota_that_cannot_be_read_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    assert "hosts" in Engine(quota=None).run().stacks()
    assert len(warned) == 1
    assert "AccessDeniedException" in warned[0]


def test_the_quota_check_knows_every_instance_type_that_is_allowed() -> None:
    assert set(quota.VCPUS) == set(read("hosts").parameters["InstanceType"]["AllowedValues"])


def test_an_outdated_archive_is_refused_with_the_command_that_makes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def outdated(kind: str) -> Archive:
        raise OutdatedArchive(f"run `make {kind}`")

    monkeypatch.setattr(deployment.release, "archive", outdated)
    engine = Engine()
    with pytest.raises(pulumi.RunError, match="run `make image`"):
        engine.run()
    assert engine.made == {}


def test_a_file_that_is_no_template_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise BadTemplate("cfn/network.yaml cannot be used: not YAML")

    monkeypatch.setattr(deployment.template, "read_all", broken)
    engine = Engine()
    with pytest.raises(pulumi.RunError, match=r"cfn/network\.yaml cannot be used"):
        engine.run()
    assert engine.made == {}


def release(config: dict[str, str] | None = None, machine_image: str = "ami-1") -> Any:
    return Engine(machine_image=machine_image).run(config).exports["release"]


def test_the_same_ingredients_make_the_same_release() -> None:
    assert release() == release()


@pytest.mark.parametrize(
    "config",
    [
        {"instanceType": "t3.small"},
        {"cpuCredits": "unlimited"},
        {"maxHosts": "3"},
        {"minHosts": "3", "maxHosts": "3"},
        {"requestsPerMinute": "6000"},
    ],
    ids=str,
)
def test_a_change_of_what_hosts_are_or_how_many_makes_a_new_release(config: dict[str, str]) -> None:
    assert release(config) != release()


@pytest.mark.parametrize(
    "config",
    [{"secondOctet": "7"}, {"alertEmail": "ops@example.org"}, {"protect": "true"}, ALL],
    ids=str,
)
def test_a_change_of_anything_else_does_not(config: dict[str, str]) -> None:
    assert release(config) == release()


def test_a_new_machine_image_makes_a_new_release() -> None:
    assert release(machine_image="ami-2") != release()


def test_a_new_service_makes_a_new_release(archives: dict[str, str]) -> None:
    before = release()
    archives["image"] = "3" * 12
    assert release() != before


def test_a_new_healthcheck_does_not(archives: dict[str, str]) -> None:
    before = release()
    archives["package"] = "3" * 12
    assert release() == before


@pytest.mark.parametrize(("part", "changes"), [("hosts", True), ("balancer", False)])
def test_a_change_of_the_hosts_template_alone_makes_a_new_release(
    part: str, changes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = release()
    template: Template = read(part)
    monkeypatch.setattr(template, "body", template.body + "# changed\n")
    assert (release() != before) is changes


def test_a_new_release_is_a_resource_of_its_own(archives: dict[str, str]) -> None:
    """So that the old one stays in the state until the end, and going back to it finds it there."""
    before = set(Engine().run().made)
    archives["image"] = "3" * 12
    after = set(Engine().run().made)
    assert {name.split("-")[0] for name in before - after} == {"image", "hosts"}
    assert {name.split("-")[0] for name in after - before} == {"image", "hosts"}
