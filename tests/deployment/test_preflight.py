"""A deployment that would fail late is refused, with the remedy, before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pulumi
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.stub import ANY, Stubber

from deployment import preflight
from deployment.errors import UserError, format_for_pulumi
from deployment.preflight import OK, REFUSED, UNKNOWN, VCPUS, Preflight, Result
from deployment.settings import Settings
from deployment.template import read_template
from tests.support.engine import Engine

ACCOUNT = "123456789012"
ARN = f"arn:aws:iam::{ACCOUNT}:user/deployer"
SETTINGS = Settings(
    instance_type="t3.micro",
    cpu_credits="standard",
    min_hosts=2,
    max_hosts=2,
    requests_per_minute=7200,
    second_octet=42,
    zone_index_a=0,
    zone_index_b=1,
    alert_email="",
    limit="1",
    ntp_servers="",
    check_every=1,
    public_url="",
    budget=0,
    permissions_boundary="",
    preflight=True,
    quota_check=True,
    protect=False,
    reviewer="none",
    reviewer_account="",
    reviewer_external_id="",
)


class Aws:
    """AWS, as boto3's clients with recorded responses see it."""

    def __init__(self) -> None:
        self.stubs: dict[str, Stubber] = {}
        self.identity(ARN)

    def identity(self, arn: str) -> None:
        self.stubs.pop("sts", None)
        identity = {"Account": ACCOUNT, "Arn": arn, "UserId": "x"}
        self.stub("sts").add_response("get_caller_identity", identity, {})

    def stub(self, service: str) -> Stubber:
        if service not in self.stubs:
            client = boto3.client(
                service,
                region_name="eu-west-1",
                aws_access_key_id="x",
                aws_secret_access_key="x",  # noqa: S106 - nobody's
            )
            self.stubs[service] = Stubber(client)
            self.stubs[service].activate()
        return self.stubs[service]

    def client(self, service: str, region_name: str = "") -> Any:
        return self.stub(service).client

    def refuse(self, service: str, operation: str, code: str = "AccessDenied") -> None:
        self.stub(service).add_client_error(operation, code, "no")

    def preflight(self, **settings: Any) -> Preflight:
        name, values = "timeservice-prod", SETTINGS._replace(**settings)
        return Preflight(self.client, "eu-west-1", name, values)


@pytest.fixture
def aws() -> Iterator[Aws]:
    """The test must use each recorded response."""
    aws = Aws()
    yield aws
    for stub in aws.stubs.values():
        stub.assert_no_pending_responses()


def test_a_region_that_is_not_enabled_is_named(aws: Aws) -> None:
    # The Region refuses the same credentials that another accepts.
    aws.stubs.clear()
    aws.refuse("sts", "get_caller_identity", "InvalidClientTokenId")
    identity = {"Account": ACCOUNT, "Arn": ARN, "UserId": "x"}
    aws.stub("sts").add_response("get_caller_identity", identity, {})
    with pytest.raises(UserError, match=r"eu-west-1 is misspelt, or not enabled .*enable-region"):
        aws.preflight()


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_credentials_that_no_region_knows_are_named(code: str, aws: Aws) -> None:
    aws.stubs.clear()
    aws.refuse("sts", "get_caller_identity", code)
    aws.refuse("sts", "get_caller_identity", code)
    with pytest.raises(
        UserError, match=rf"requests to AWS fail: .*{code}.*aws sts get-caller-identity"
    ):
        aws.preflight()


@pytest.mark.parametrize("error", [NoCredentialsError(), EndpointConnectionError(endpoint_url="u")])
def test_no_credentials_and_no_network_are_named(error: Exception) -> None:
    def connect(*_: Any, **__: Any) -> Any:
        raise error

    with pytest.raises(UserError, match="requests to AWS fail: "):
        Preflight(connect, "eu-west-1", "timeservice-prod", SETTINGS)


def add_quota(aws: Aws, vcpus: float, operation: str = "get_service_quota") -> None:
    request = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
    aws.stub("service-quotas").add_response(operation, {"Quota": {"Value": vcpus}}, request)


@pytest.mark.parametrize(
    ("settings", "vcpus", "needed"),
    [({}, 7, 8), ({}, 8, None), ({"min_hosts": 3, "max_hosts": 6}, 17, 18)],
)
def test_the_quota_must_hold_the_old_hosts_at_their_most_and_the_new_ones_at_their_least(
    settings: dict[str, int], vcpus: float, needed: int | None, aws: Aws
) -> None:
    add_quota(aws, vcpus)
    if needed is None:
        assert aws.preflight(**settings).check_quota() == "8, and a release needs 8"
        return
    with pytest.raises(UserError) as refused:
        aws.preflight(**settings).check_quota()
    text = str(refused.value)
    first = settings.get("min_hosts", 2) * 2
    assert f"needs {needed} vCPUs" in text
    assert f"may run {vcpus}." in text
    assert "aws service-quotas request-service-quota-increase" in text
    assert f"--desired-value {needed}. A first deployment needs {first} alone" in text


def test_a_quota_that_was_never_changed_is_aws_s_default(aws: Aws) -> None:
    aws.refuse("service-quotas", "get_service_quota", "NoSuchResourceException")
    add_quota(aws, 5, "get_aws_default_service_quota")
    with pytest.raises(UserError, match="may run 5"):
        aws.preflight().check_quota()


def test_every_instance_type_that_is_allowed_has_its_vcpus() -> None:
    types = read_template("hosts").parameters["InstanceType"]["AllowedValues"]
    # AWS lists two vCPUs for these types.
    assert (types, VCPUS) == (["t3.micro", "t3.small", "t4g.micro", "t4g.small"], 2)


def add_zones(aws: Aws, offered: str, default: str = "", zones: str = "abc") -> None:
    """zones: those of the Region. default: those with a default subnet. Letters of their names."""
    ec2 = aws.stub("ec2")
    subnets = [{"AvailabilityZone": f"eu-west-1{zone}"} for zone in default]
    by_default = {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
    ec2.add_response("describe_subnets", {"Subnets": subnets}, by_default)
    if not default:
        found = [{"ZoneName": f"eu-west-1{zone}"} for zone in zones]
        ec2.add_response("describe_availability_zones", {"AvailabilityZones": found}, None)
    offers = [{"Location": f"eu-west-1{zone}"} for zone in offered]
    request = {
        "LocationType": "availability-zone",
        "Filters": [{"Name": "instance-type", "Values": ["t3.micro"]}],
    }
    offerings = {"InstanceTypeOfferings": offers}
    ec2.add_response("describe_instance_type_offerings", offerings, request)


@pytest.mark.parametrize(
    ("offered", "default", "indexes"),
    [("abc", "", (0, 1)), ("ac", "", (0, 2)), ("bd", "db", (0, 1)), ("bcd", "dcb", (2, 0))],
)
def test_two_zones_with_the_type_are_taken(
    offered: str, default: str, indexes: tuple[int, int], aws: Aws
) -> None:
    """Indexes count the zones with a default subnet, as Fn::GetAZs does."""
    add_zones(aws, offered, default)
    a, b = indexes
    text = aws.preflight(zone_index_a=a, zone_index_b=b).check_zones()
    zones = sorted(default or "abc")
    assert text == f"eu-west-1{zones[a]} and eu-west-1{zones[b]} offer t3.micro"


@pytest.mark.parametrize(
    ("offered", "default", "indexes", "complaint"),
    [
        ("ac", "", (0, 1), "zoneIndexB is '1': .*0 is eu-west-1a, 2 is eu-west-1c.*A 0 .*B 2$"),
        ("bc", "", (0, 1), "zoneIndexA is '0': .*zoneIndexA 1 && .*zoneIndexB 2$"),
        ("abc", "", (1, 5), "zoneIndexB is '5': .*zoneIndexA 0 && .*zoneIndexB 1$"),
        ("abd", "ab", (1, 2), "zoneIndexB is '2': .*zoneIndexA 0 && .*zoneIndexB 1$"),
        ("b", "", (0, 1), "1 is eu-west-1b: choose another instanceType or Region$"),
        ("", "", (0, 1), "there is none: choose another instanceType or Region$"),
    ],
)
def test_a_zone_without_the_type_is_refused_with_zones_that_have_it(
    offered: str, default: str, indexes: tuple[int, int], complaint: str, aws: Aws
) -> None:
    add_zones(aws, offered, default)
    checked = aws.preflight(zone_index_a=indexes[0], zone_index_b=indexes[1])
    with pytest.raises(UserError) as refused:
        checked.check_zones()
    assert re.search(complaint, format_for_pulumi(refused.value))


def test_a_region_without_the_machine_image_is_refused(aws: Aws) -> None:
    aws.refuse("ssm", "get_parameter", "ParameterNotFound")
    with pytest.raises(
        UserError, match=r"eu-west-1 has no /aws/service/ami-amazon-linux.*-arm64: "
    ):
        aws.preflight(instance_type="t4g.micro").check_image()
    name = SETTINGS.machine_image
    assert name.endswith("x86_64")
    parameter = {"Parameter": {"Value": "ami-1"}}
    aws.stub("ssm").add_response("get_parameter", parameter, {"Name": name})
    aws.identity(ARN)
    assert aws.preflight().check_image() == "ami-1"


ROLE = {
    "Path": "/",
    "RoleName": "x",
    "RoleId": "x" * 16,
    "Arn": "arn:aws:iam::123456789012:role/x",
    "CreateDate": 0,
}
ELB = "AWSServiceRoleForElasticLoadBalancing"


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("check_roles", "pulumi up makes those of: autoscaling"),
        ("create_missing_roles", "made now: autoscaling"),
    ],
)
def test_service_linked_roles_that_are_missing_are_made_by_an_update_alone(
    method: str, text: str, aws: Aws
) -> None:
    aws.refuse("iam", "get_role", "NoSuchEntity")
    aws.stub("iam").add_response("get_role", {"Role": ROLE}, {"RoleName": ELB})
    if method == "create_missing_roles":
        request = {"AWSServiceName": "autoscaling.amazonaws.com"}
        aws.stub("iam").add_response("create_service_linked_role", {"Role": ROLE}, request)
    assert getattr(aws.preflight(), method)() == f"{text}.amazonaws.com"


@pytest.mark.parametrize("method", ["check_roles", "create_missing_roles"])
def test_service_linked_roles_that_are_there_are_left_alone(method: str, aws: Aws) -> None:
    for _ in range(2):
        aws.stub("iam").add_response("get_role", {"Role": ROLE}, None)
    assert getattr(aws.preflight(), method)() == "there"


def test_a_boundary_of_another_account_is_refused_without_asking(aws: Aws) -> None:
    boundary = "arn:aws:iam::999999999999:policy/Boundary"
    with pytest.raises(UserError, match=rf"{boundary}.*another account, .*are of {ACCOUNT}"):
        aws.preflight(permissions_boundary=boundary).check_boundary()


def test_a_boundary_must_exist(aws: Aws) -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/Boundary"
    aws.refuse("iam", "get_policy", "NoSuchEntity")
    with pytest.raises(UserError, match=r"does not exist: .* stack deployer-timeservice-"):
        aws.preflight(permissions_boundary=boundary).check_boundary()
    aws.stub("iam").add_response("get_policy", {"Policy": {}}, {"PolicyArn": boundary})
    aws.identity(ARN)
    assert aws.preflight(permissions_boundary=boundary).check_boundary() == boundary


def test_budgets_that_are_closed_to_the_credentials_are_refused(aws: Aws) -> None:
    aws.refuse("budgets", "describe_budgets", "AccessDeniedException")
    with pytest.raises(UserError, match=r"the setting budget is '20': .*Activate IAM access"):
        aws.preflight(budget=20).check_budget()
    request = {"AccountId": ACCOUNT, "MaxResults": 1}
    aws.stub("budgets").add_response("describe_budgets", {"Budgets": []}, request)
    aws.identity(ARN)
    assert aws.preflight(budget=20).check_budget() == "open to these credentials"


def add_simulations(aws: Aws, **decisions: dict[str, Any]) -> None:
    """Stub every simulation. decisions: by the action's name; others are allowed."""
    for (resource, context), actions in aws.preflight()._group_permissions().items():
        results = [
            {"EvalActionName": action, "EvalDecision": "allowed"}
            | decisions.get(action.split(":")[1], {})
            for action in actions
        ]
        keys = ("ContextKeyName", "ContextKeyValues", "ContextKeyType")
        request = {
            "PolicySourceArn": ANY,
            "ActionNames": actions,
            "ResourceArns": [resource],
            "ContextEntries": [
                dict(zip(keys, (key, [value], type_), strict=True)) for key, value, type_ in context
            ],
        }
        response = {"EvaluationResults": results}
        aws.stub("iam").add_response("simulate_principal_policy", response, request)
    aws.identity(ARN)


def test_an_action_is_simulated_as_its_caller_requests_it(aws: Aws) -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/Boundary"
    groups = aws.preflight(permissions_boundary=boundary)._group_permissions()
    requests = {
        action: (resource, {key: value for key, value, _ in context})
        for (resource, context), actions in groups.items()
        for action in actions
    }
    program = {"aws:RequestedRegion": "eu-west-1", "aws:ResourceAccount": ACCOUNT}
    cloudformation = program | {
        "aws:ViaAWSService": "true",
        "aws:CalledVia": "cloudformation.amazonaws.com",
    }
    assert requests["ec2:DescribePrefixLists"] == ("*", program)
    assert requests["s3:ListBucket"] == (
        "arn:aws:s3:::timeservice-prod-artifacts-bucket-1",
        program,
    )
    assert requests["ec2:CreateVpc"] == (
        f"arn:aws:ec2:eu-west-1:{ACCOUNT}:vpc/1",
        cloudformation,
    )
    assert requests["iam:CreateRole"] == (
        f"arn:aws:iam::{ACCOUNT}:role/timeservice-prod-hosts-1",
        cloudformation | {"iam:PermissionsBoundary": boundary},
    )


@pytest.mark.parametrize("budget", [0, 20])
def test_a_budget_s_action_is_simulated_for_a_budget_alone(budget: int, aws: Aws) -> None:
    groups = aws.preflight(budget=budget)._group_permissions()
    actions = [action for actions in groups.values() for action in actions]
    assert ("budgets:ModifyBudget" in actions) is (budget > 0)
    # Without a boundary, no simulated request has one.
    assert "iam:PermissionsBoundary" not in {key for _, context in groups for key, *_ in context}


def test_what_the_caller_may_not_is_refused_with_the_action(aws: Aws) -> None:
    add_simulations(aws, GetSecurityGroupsForVpc={"EvalDecision": "implicitDeny"})
    with pytest.raises(UserError) as refused:
        aws.preflight().check_permissions()
    vpc = f"ec2:GetSecurityGroupsForVpc on arn:aws:ec2:eu-west-1:{ACCOUNT}:vpc/1"
    assert str(refused.value) == (
        f"{ARN} may not, as AWS simulates it: {vpc}. Attach the policies of cfn/deployer.yaml to "
        "it, or deploy as an administrator"
    )


def test_what_depends_on_the_request_is_not_refused(aws: Aws) -> None:
    """An example is a policy that asks for a second factor."""
    missing = ["aws:MultiFactorAuthPresent"]
    decision = {"EvalDecision": "implicitDeny", "MissingContextValues": missing}
    add_simulations(aws, CreateVpc=decision)
    assert aws.preflight().check_permissions() == f"all, as AWS simulates it for {ARN}"


def test_a_role_is_simulated_by_its_own_arn_with_its_path(aws: Aws) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/path/deployer"
    aws.stub("iam").add_response(
        "get_role", {"Role": ROLE | {"Arn": arn}}, {"RoleName": "deployer"}
    )
    add_simulations(aws)
    aws.identity(f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/session")
    assert aws.preflight().check_permissions().endswith(f"for {arn}")


def test_the_root_user_is_not_simulated(aws: Aws) -> None:
    aws.identity(f"arn:aws:iam::{ACCOUNT}:root")
    assert aws.preflight().check_permissions() == "all, as the root user"


def test_each_subject_is_ok_refused_or_unknown(aws: Aws) -> None:
    add_zones(aws, "abc")
    aws.refuse("ssm", "get_parameter", "ParameterNotFound")
    aws.refuse("iam", "get_role", "NoSuchEntity")
    aws.refuse("iam", "get_role", "NoSuchEntity")
    aws.refuse("iam", "simulate_principal_policy")
    aws.refuse("service-quotas", "get_service_quota", "AccessDeniedException")
    results = aws.preflight().run()
    assert {subject: state for subject, state, _ in results} == {
        "zones": OK,
        "machine image": REFUSED,
        "service-linked roles": OK,
        "permissions": UNKNOWN,
        "vCPU quota": UNKNOWN,
    }
    # `make preflight` makes nothing.
    assert results[2].text.startswith("pulumi up makes those of: ")
    assert "AccessDeniedException" in results[-1].text


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeSubnets"),
        EndpointConnectionError(endpoint_url="https://ec2.eu-west-1.amazonaws.com"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_subject_that_aws_gives_no_result_for_is_unknown(
    error: Exception, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise error

    for name in ("zones", "image", "roles", "permissions", "quota"):
        monkeypatch.setattr(Preflight, f"check_{name}", fail)
    results = aws.preflight().run()
    assert {result[1:] for result in results} == {(UNKNOWN, f"AWS gives no result: {error}")}


def test_what_no_setting_asks_for_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    for name in ("zones", "image", "roles", "permissions", "quota", "boundary", "budget"):

        def check(*_: object, name: str = name) -> str:
            checked.append(name)
            return name

        monkeypatch.setattr(Preflight, f"check_{name}", check)
    Aws().preflight(quota_check=False).run()
    assert checked == ["zones", "image", "roles", "permissions"]
    checked.clear()
    Aws().preflight(budget=20, permissions_boundary="arn").run()
    assert checked[4:] == ["quota", "boundary", "budget"]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, archives: None) -> dict[str, Any]:
    """Give the program a preflight with these results, and record how it is called."""
    seen: dict[str, Any] = {"warnings": [], "results": []}

    class Recorded:
        def __init__(self, client: Any, region: str, deployment: str, settings: Settings) -> None:
            seen.update(client=client, region=region, deployment=deployment)

        def run(self, makes_roles: bool) -> list[Result]:
            seen["makes_roles"] = makes_roles
            return list(seen["results"])

    monkeypatch.setattr(preflight, "Preflight", Recorded)
    monkeypatch.setattr(pulumi.log, "warn", seen["warnings"].append)
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    return seen


ON = {"preflight": "true", "aws:region": "eu-west-1"}


def test_the_program_refuses_all_that_is_refused_before_anything_is_made(
    program: dict[str, Any],
) -> None:
    program["results"] = [
        Result("zones", REFUSED, "one"),
        Result("budget", REFUSED, "two"),
        Result("vCPU quota", UNKNOWN, "three"),
        Result("boundary", OK, "four"),
    ]
    engine = Engine()
    with pytest.raises(pulumi.RunError) as refused:
        engine.run(ON)
    remedy = "To go on anyway: pulumi config set preflight false"
    assert str(refused.value) == f"zones: one\nbudget: two\n{remedy}"
    assert program["warnings"] == ["vCPU quota: three"]
    assert engine.resources == {}


@pytest.mark.parametrize("preview", [True, False])
def test_the_program_makes_roles_in_an_update_and_not_in_a_preview(
    preview: bool, program: dict[str, Any]
) -> None:
    Engine().run(ON, preview=preview)
    assert program["makes_roles"] is not preview
    assert (program["region"], program["deployment"]) == ("eu-west-1", "timeservice-test")


def test_the_region_is_the_provider_s(
    program: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    off = {"preflight": "true"}
    with pytest.raises(pulumi.RunError, match="no Region is configured"):
        Engine().run(off)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    Engine().run(off)
    assert program["region"] == "us-west-1"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    Engine().run(off)
    assert program["region"] == "us-west-2"
    assert program["client"]("ec2").meta.region_name == "us-west-2"
    Engine().run(ON)
    assert program["region"] == "eu-west-1"


def test_a_profile_that_does_not_exist_is_named(program: dict[str, Any]) -> None:
    with pytest.raises(pulumi.RunError, match=r"requests to AWS fail: .*work"):
        Engine().run(ON | {"aws:profile": "work"})


def test_nothing_is_asked_with_other_credentials_than_the_provider_s(
    program: dict[str, Any],
) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        Engine().run(ON | {"aws:assumeRoles": '[{"roleArn": "arn"}]'})
    assert str(refused.value) == (
        "only Pulumi's provider reads aws:assumeRoles. "
        "Use a profile: pulumi config set aws:profile NAME && pulumi config rm aws:assumeRoles\n"
        "To go on anyway: pulumi config set preflight false"
    )
    assert "region" not in program


def test_preflight_can_be_left_out(program: dict[str, Any]) -> None:
    assert "hosts" in Engine().run({"preflight": "false"}).stacks()
    assert "region" not in program
