"""The Pulumi program and the templates agree."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import MockResourceArgs

from deployment.template import read_template
from tests.support.engine import ALL, STACK, Engine
from tests.support.engine import part as part_of
from tests.support.templates import TEMPLATES, the

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("archives")


def test_every_template_is_deployed_in_order_of_dependence() -> None:
    assert list(Engine().run().stacks()) == [
        "artifacts",
        "network",
        "balancer",
        "hosts",
        "healthcheck",
    ]
    administrators = {"deployer"}  # an administrator makes the deployer's permissions
    assert set(TEMPLATES) - administrators == set(Engine().run(ALL).stacks())


def test_outputs_are_wired_into_parameters_of_the_same_meaning() -> None:
    stacks = Engine().run().stacks()
    wired = {
        f"{part}.{key}": value
        for part, stack in stacks.items()
        for key, value in stack.get("parameters", {}).items()
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
    """Only the values that the program makes itself: outputs of stacks are not known here."""
    stacks = Engine().run(ALL).stacks()
    own = [
        (part, key, value)
        for part, stack in stacks.items()
        for key, value in stack.get("parameters", {}).items()
        if str(value).split(".")[0] not in stacks
    ]
    assert {key for _, key, _ in own} >= {"S3PrefixList", "ImageKey", "PackageKey", "Release"}
    faults = [read_template(part).find_fault(key, value) for part, key, value in own]
    assert not any(faults), faults


def test_stacks_are_named_after_project_stack_and_part() -> None:
    engine = Engine().run()
    release = engine.exports["release"]
    assert {part: stack["name"] for part, stack in engine.stacks().items()} == {
        "artifacts": "timeservice-test-artifacts",
        "network": "timeservice-test-network",
        "balancer": "timeservice-test-balancer",
        "hosts": f"timeservice-test-hosts-{release}",
        "healthcheck": "timeservice-test-healthcheck",
    }


def test_a_stack_is_made_from_its_template_and_removes_itself_when_it_fails() -> None:
    for part, stack in Engine().run(ALL).stacks().items():
        assert stack["templateBody"] == (ROOT / "cfn" / f"{part}.yaml").read_text(), part
        assert stack["onFailure"] == "DELETE", part
        tags = {"project": "timeservice", "deployment": "timeservice-test"}
        if part == "hosts":
            tags["commit"] = "120001c0ffee+"
        assert stack["tags"] == tags, part


def test_a_release_names_the_commit_that_it_was_made_from_as_long_as_it_is_deployed() -> None:
    engine = Engine().run()
    release = engine.exports["release"]
    assert engine.exports["commit"] == "120001c0ffee+"
    # Another commit of the same content is no update of the hosts' stack.
    assert list(engine.requests[f"hosts-{release}"].ignoreChanges)[2:] == ["tags"]
    assert "tags" not in engine.requests["balancer"].ignoreChanges
    shown = engine.stacks()["healthcheck"]["parameters"]["Release"]
    assert shown == f"{release}, commit 120001c0ffee+"
    assert read_template("healthcheck").find_fault("Release", shown) is None


def test_only_stacks_with_roles_may_make_roles() -> None:
    allowed = {part for part, stack in Engine().run().stacks().items() if stack.get("capabilities")}
    assert allowed == {"hosts", "healthcheck"}


def test_the_provider_waits_longer_than_the_wait_condition() -> None:
    engine = Engine().run()
    request = engine.requests[f"hosts-{engine.exports['release']}"]
    waits = int(the("CloudFormation::WaitCondition")["Timeout"])
    stack = engine.resources[f"hosts-{engine.exports['release']}"]
    # The group makes its hosts before the wait condition begins.
    assert stack["timeoutInMinutes"] * 60 >= waits + 300
    # Rolling back takes time as well: hosts to terminate, connections to drain.
    assert int(request.customTimeouts.create.removesuffix("m")) * 60 >= waits + 900


def test_each_stack_has_a_time_limit_for_each_operation() -> None:
    engine = Engine().run(ALL)
    for resource, request in engine.requests.items():
        if resource.split("-")[0] in TEMPLATES and resource != "reviewer-login":
            # CloudFormation gives up ten minutes before Pulumi does.
            minutes, limit = (40, "50m") if resource.startswith("hosts") else (10, "20m")
            limits = request.customTimeouts
            assert (limits.create, limits.update, limits.delete) == (limit, limit, limit), resource
            assert engine.resources[resource]["timeoutInMinutes"] == minutes, resource


def test_archives_are_uploaded_under_their_digest_and_only_once() -> None:
    engine = Engine().run()
    image, package = engine.resources[f"image-{'1' * 12}"], engine.resources[f"package-{'2' * 12}"]
    assert (image["bucket"], image["key"]) == ("artifacts.Bucket", f"images/{'1' * 12}.tar.gz")
    assert (package["bucket"], package["key"]) == (
        "artifacts.Bucket",
        f"healthcheck/{'2' * 12}.zip",
    )
    assert Path(image["source"].path).read_bytes() == b"image-x86_64"
    assert Path(package["source"].path).read_bytes() == b"package"
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
        "commit": "120001c0ffee+",
        "group": "hosts.Group",
        "function": "healthcheck.Function",
        "alarm": "healthcheck.Alarm",
        "dashboard": "healthcheck.Dashboard",
    }


def test_a_preview_works_while_no_output_is_known() -> None:
    assert set(Engine().run(ALL, preview=True).stacks()) == set(TEMPLATES) - {"deployer"}


def test_an_update_never_replaces_the_vpc_subnets_and_security_groups() -> None:
    stacks = Engine().run().stacks()
    assert [part for part, stack in stacks.items() if "policyBody" in stack] == ["network"]
    allowed, denied = json.loads(stacks["network"]["policyBody"])["Statement"]
    everyone = {"Principal": "*"}  # a stack policy must have it
    assert allowed == everyone | {"Effect": "Allow", "Action": "Update:*", "Resource": "*"}
    assert denied == everyone | {
        "Effect": "Deny",
        "Action": "Update:Replace",
        "Resource": [
            "LogicalResourceId/Vpc",
            "LogicalResourceId/*Subnet*",
            "LogicalResourceId/*SecurityGroup",
        ],
    }
    patterns = [item.removeprefix("LogicalResourceId/") for item in denied["Resource"]]
    for name, resource in TEMPLATES["network"].resources.items():
        kept = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        standing = resource["Type"] in (
            "AWS::EC2::VPC",
            "AWS::EC2::Subnet",
            "AWS::EC2::SecurityGroup",
        )
        assert kept or not standing, name


def test_a_budget_mails_the_address_of_the_alarms() -> None:
    budget = Engine().run({"budget": "20", "alertEmail": "ops@example.org"}).stacks()["budget"]
    assert budget["parameters"] == {"Email": "ops@example.org", "LimitInDollars": "20"}
    assert "budget" not in Engine().run({"alertEmail": "ops@example.org"}).stacks()


class Provider(Engine):
    """Pulumi's provider, which neither sends nor keeps an empty value."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}  # parameters in Pulumi's state, by stack
        self.updated: list[str] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == STACK:
            parameters = args.inputs.get("parameters", {})
            if self.kept.get(args.name, parameters) != parameters:
                self.updated.append(part_of(args.name))
            self.kept[args.name] = {key: value for key, value in parameters.items() if value != ""}
        return super().new_resource(args)


@pytest.mark.parametrize(
    ("key", "value", "parameter"),
    [
        ("alertEmail", "ops@example.org", "balancer.AlertEmail"),
        ("ntpServers", "time.aws.com", "healthcheck.NtpServers"),
        ("limit", "0.5", "healthcheck.Limit"),
        (
            "permissionsBoundary",
            "arn:aws:iam::123456789012:policy/b",
            "healthcheck.PermissionsBoundary",
        ),
    ],
)
def test_a_setting_that_is_cleared_gets_its_default_and_no_later_update_follows(
    key: str, value: str, parameter: str
) -> None:
    changed, name = parameter.split(".")
    provider = Provider()
    before = provider.run().get_parameters(changed)[name]
    assert provider.run({key: value}).get_parameters(changed)[name] == value
    provider.updated.clear()
    # The stack of the hosts is a new one.
    assert provider.run().get_parameters(changed)[name] == before
    assert set(provider.updated) == {changed}
    provider.updated.clear()
    provider.run()
    assert provider.updated == []


def test_a_parameter_that_has_its_default_is_not_sent() -> None:
    for part, inputs in Engine().run(ALL).stacks().items():
        declared = read_template(part).parameters
        for key, value in inputs.get("parameters", {}).items():
            assert value not in ("", str(declared[key].get("Default"))), f"{part}.{key}"


def test_an_output_that_a_failed_update_has_left_out_is_refused_with_the_remedy() -> None:
    class Failed(Engine):
        def _outputs(self, args: MockResourceArgs) -> dict[str, str]:
            return {} if args.name == "healthcheck" else super()._outputs(args)

    message = (
        r"Pulumi's state lacks the output \w+ of a stack whose last update failed\. "
        "Run: make repair STACK=test"
    )
    with pytest.raises(pulumi.RunError, match=message):
        Failed().run()


def test_a_public_url_is_exported_and_checked_instead_of_the_balancer_s() -> None:
    engine = Engine().run({"publicUrl": "https://time.example.org"})
    assert engine.exports["url"] == "https://time.example.org"
    assert engine.get_parameters("healthcheck")["Url"] == "https://time.example.org"


def test_what_counts_at_the_creation_alone_replaces_no_stack() -> None:
    for name, request in Engine().run(ALL).requests.items():
        if part_of(name) in TEMPLATES and name != "reviewer-login":
            assert {"onFailure", "timeoutInMinutes"} <= set(request.ignoreChanges), name


def test_protection_covers_what_carries_the_address() -> None:
    engine = Engine().run({"protect": "true"})
    protected = {name for name, request in engine.requests.items() if request.protect}
    assert protected == {"network", "balancer"}
    assert not any(request.protect for request in Engine().run().requests.values())


@pytest.mark.parametrize(
    ("config", "archive", "machine_image"),
    [
        ({"instanceType": "t3.small"}, "image-x86_64", "x86_64"),
        ({"instanceType": "t4g.micro"}, "image-arm64", "arm64"),
        ({"instanceType": "t4g.small"}, "image-arm64", "arm64"),
        # The local cloud's hosts have the architecture of its engine.
        ({"instanceType": "t4g.small", "local:architecture": "x86_64"}, "image-x86_64", "arm64"),
        ({"local:architecture": "arm64"}, "image-arm64", "x86_64"),
    ],
)
def test_the_archive_and_the_machine_image_have_the_architecture_of_the_instance_type(
    config: dict[str, str], archive: str, machine_image: str
) -> None:
    engine = Engine().run(config)
    (image,) = [body for name, body in engine.resources.items() if name.startswith("image-")]
    assert Path(image["source"].path).name == archive
    assert engine.get_parameters("hosts")["ImageId"] == (
        f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{machine_image}"
    )
