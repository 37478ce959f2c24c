"""Ask AWS, before anything is made, what would otherwise fail late.

The program does so at each preview and update, and `make preflight` prints the results.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import pulumi
from botocore.exceptions import BotoCoreError, ClientError

from deployment.account import RENEW, get_account
from deployment.errors import SettingError, UserError, format_for_pulumi
from deployment.permissions import read_permissions
from deployment.settings import Settings, list_config
from deployment.stacks import get_deployment_name

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"
QUOTA = "L-1216C47A"  # Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances
# Of each instance type that cfn/hosts.yaml allows.
VCPUS = 2
# AWS makes these roles at the first use. The first host may be launched before IAM knows the role
# of Auto Scaling.
SERVICE_LINKED_ROLES = {
    "AWSServiceRoleForAutoScaling": "autoscaling.amazonaws.com",
    "AWSServiceRoleForElasticLoadBalancing": "elasticloadbalancing.amazonaws.com",
}


class Result(NamedTuple):
    """state: OK, REFUSED (a deployment would fail) or UNKNOWN. text: for people."""

    subject: str
    state: str
    text: str


class Preflight:
    """The checks of an account for a deployment. arn, account: the caller's."""

    def __init__(
        self, client: Callable[..., Any], region: str, deployment: str, settings: Settings
    ) -> None:
        """client: makes boto3's client of a service. Raises UserError without an identity."""
        self.client, self.region = client, region
        self.deployment, self.settings = deployment, settings
        try:
            identity = client("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            # A Region that is not enabled refuses all credentials, even valid ones.
            try:
                client("sts", region_name="us-east-1").get_caller_identity()
            except (BotoCoreError, ClientError):
                raise UserError(f"requests to AWS fail: {error}. {RENEW}") from None
            raise UserError(
                f"the Region {region} is misspelt, or not enabled in this account ({error}). This "
                f"enables it in minutes to hours: aws account enable-region --region-name {region}"
            ) from None
        self.arn, self.account = identity["Arn"], identity["Account"]

    def run(self, makes_roles: bool = False) -> list[Result]:
        """Return the result of each check. What AWS does not let the caller read is UNKNOWN.

        makes_roles: make the service-linked roles that are missing.
        """
        checks: dict[str, Callable[[], str]] = {
            "zones": self.check_zones,
            "machine image": self.check_image,
            "service-linked roles": self.check_roles,
            "permissions": self.check_permissions,
        }
        if makes_roles:
            checks["service-linked roles"] = self.create_missing_roles
        if self.settings.quota_check:
            checks["vCPU quota"] = self.check_quota
        if self.settings.permissions_boundary:
            checks["boundary"] = self.check_boundary
        if self.settings.budget:
            checks["budget"] = self.check_budget
        results = []
        for subject, check in checks.items():
            try:
                results.append(Result(subject, OK, check()))
            except UserError as error:
                results.append(Result(subject, REFUSED, format_for_pulumi(error)))
            except (BotoCoreError, ClientError) as error:
                results.append(Result(subject, UNKNOWN, f"AWS gives no result: {error}"))
        return results

    def check_quota(self) -> str:
        """Compare with a release: maxHosts old hosts run beside minHosts new ones.

        An Auto Scaling group at the quota adds no hosts and raises no error. The old hosts are
        assumed to have the present settings.
        """
        new, old = self.settings.min_hosts, self.settings.max_hosts
        first, needed = new * VCPUS, (new + old) * VCPUS
        quotas, request = self.client("service-quotas"), {"ServiceCode": "ec2", "QuotaCode": QUOTA}
        try:
            quota = quotas.get_service_quota(**request)
        except quotas.exceptions.NoSuchResourceException:
            quota = quotas.get_aws_default_service_quota(**request)
        allowed = quota["Quota"]["Value"]
        if allowed < needed:
            raise UserError(
                f"a release needs {needed} vCPUs for some minutes ({old} old and {new} new hosts), "
                f"and this account may run {allowed:g}. Ask for more: aws service-quotas "
                f"request-service-quota-increase --service-code ec2 --quota-code {QUOTA} "
                f"--desired-value {needed}. A first deployment needs {first} alone: for that, run "
                "pulumi config set quotaCheck false"
            )
        return f"{allowed:g}, and a release needs {needed}"

    def check_zones(self) -> str:
        """Refuse zones without the instance type: all hosts would be in the other zone."""
        type_, ec2 = self.settings.instance_type, self.client("ec2")
        zones = list_zones(ec2)
        offers = ec2.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [type_]}]
        )
        offered = set(offers.search("InstanceTypeOfferings[].Location"))
        usable = [index for index, zone in enumerate(zones) if zone in offered]
        chosen = (self.settings.zone_index_a, self.settings.zone_index_b)
        if set(chosen) <= set(usable):
            return f"{zones[chosen[0]]} and {zones[chosen[1]]} offer {type_}"
        has = ", ".join(f"{index} is {zone}" for index, zone in enumerate(zones) if zone in offered)
        complaint = f"of the zones with {type_}, {has or 'there is none'}"
        if len(usable) < len(chosen):
            raise UserError(f"{complaint}: choose another instanceType or Region")
        complaint += ". Where something is deployed, choose another instanceType instead"
        # A chosen zone that has the type stays chosen.
        best = sorted(usable, key=lambda index: index not in chosen)[: len(chosen)]
        together = {"zoneIndexA": str(min(best)), "zoneIndexB": str(max(best))}
        key, index = "zoneIndexA", chosen[0]
        if index in usable:
            key, index = "zoneIndexB", chosen[1]
        raise SettingError(key, index, complaint, together)

    def check_image(self) -> str:
        ssm, name = self.client("ssm"), self.settings.machine_image
        try:
            return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            raise UserError(f"{self.region} has no {name}: choose another Region") from None

    def check_roles(self) -> str:
        missing = self._list_missing_roles()
        return f"pulumi up makes those of: {', '.join(missing)}" if missing else "there"

    def create_missing_roles(self) -> str:
        missing = self._list_missing_roles()
        for service in missing:
            self.client("iam").create_service_linked_role(AWSServiceName=service)
        return f"made now: {', '.join(missing)}" if missing else "there"

    def _list_missing_roles(self) -> list[str]:
        """Return the services whose roles are missing."""
        iam, missing = self.client("iam"), []
        for role, service in SERVICE_LINKED_ROLES.items():
            try:
                iam.get_role(RoleName=role)
            except iam.exceptions.NoSuchEntityException:
                missing.append(service)
        return missing

    def check_boundary(self) -> str:
        key, boundary = "permissionsBoundary", self.settings.permissions_boundary
        remedy = f"give the output Boundary of the stack deployer-{self.deployment}"
        if boundary.split(":")[4] not in (self.account, "aws"):
            complaint = (
                f"is of another account, and the credentials are of {self.account}: {remedy}"
            )
            raise SettingError(key, boundary, complaint)
        iam = self.client("iam")
        try:
            iam.get_policy(PolicyArn=boundary)
        except iam.exceptions.NoSuchEntityException:
            raise SettingError(key, boundary, f"does not exist: {remedy}") from None
        return boundary

    def check_budget(self) -> str:
        budgets = self.client("budgets")
        try:
            budgets.describe_budgets(AccountId=self.account, MaxResults=1)
        except budgets.exceptions.AccessDeniedException:
            complaint = (
                "AWS Budgets refuses these credentials. They lack budgets:ViewBudget, or the root "
                "user has to tick Activate IAM access in the account's billing preferences"
            )
            raise SettingError("budget", self.settings.budget, complaint, {"budget": "0"}) from None
        return "open to these credentials"

    def check_permissions(self) -> str:
        """Simulate what the program, CloudFormation and others call in the caller's name."""
        if self.arn.endswith(":root"):
            return "all, as the root user"
        iam, principal, denied = self.client("iam"), self.arn, []
        if ":assumed-role/" in principal:
            principal = iam.get_role(RoleName=principal.split("/")[1])["Role"]["Arn"]
        for (resource, context), actions in self._group_permissions().items():
            results = iam.simulate_principal_policy(
                PolicySourceArn=principal,
                ActionNames=actions,
                ResourceArns=[resource],
                ContextEntries=[
                    {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": type_}
                    for key, value, type_ in context
                ],
            )["EvaluationResults"]
            # A policy may depend on a part of the request that is not known here.
            denied += [
                f"{result['EvalActionName']} on {resource}"
                for result in results
                if result["EvalDecision"] != "allowed" and not result.get("MissingContextValues")
            ]
        if denied:
            raise UserError(
                f"{principal} may not, as AWS simulates it: {', '.join(denied)}. Attach the "
                "policies of cfn/deployer.yaml to it, or deploy as an administrator"
            )
        return f"all, as AWS simulates it for {principal}"

    def _group_permissions(self) -> dict[Any, list[str]]:
        """Return (resource, context) -> actions of permissions.csv. context: (key, value, type)."""
        groups: dict[Any, dict[str, None]] = defaultdict(dict)
        boundary = self.settings.permissions_boundary
        values = {"region": self.region, "account": self.account, "name": self.deployment}
        partition = self.arn.split(":")[1]
        for row in read_permissions():
            if row["action"].startswith("budgets:") and not self.settings.budget:
                continue
            resource = row["resource"].format(**values)
            if resource != "*":
                resource = f"arn:{partition}:{resource}"
            context = [("aws:RequestedRegion", self.region, "string")]
            context.append(("aws:ResourceAccount", self.account, "string"))
            for pair in row["context"].format(**values, boundary=boundary).split(";"):
                key, _, value = pair.partition("=")
                if value:
                    context.append((key, value, "string"))
            if row["caller"] != "program":
                context.append(("aws:ViaAWSService", "true", "boolean"))
                context.append(("aws:CalledVia", "cloudformation.amazonaws.com", "stringList"))
            groups[resource, tuple(context)][row["action"]] = None
        return {key: list(actions) for key, actions in groups.items()}


def check(settings: Settings) -> None:
    """Warn of what is unknown, for the program. Raises UserError with all that is refused."""
    refused = []
    try:
        region, client = get_account(list_config())
        preflight = Preflight(client, region, get_deployment_name(), settings)
        for subject, state, text in preflight.run(not pulumi.runtime.is_dry_run()):
            if state == UNKNOWN:
                pulumi.log.warn(f"{subject}: {text}")
            if state == REFUSED:
                refused.append(f"{subject}: {text}")
    except UserError as error:
        refused.append(str(error))
    if refused:
        raise UserError("\n".join([*refused, "To go on anyway: pulumi config set preflight false"]))


def list_zones(ec2: Any) -> list[str]:
    """Return the zones as Fn::GetAZs does: those with a default subnet, if there are any."""
    default = [{"Name": "default-for-az", "Values": ["true"]}]
    subnets = ec2.get_paginator("describe_subnets").paginate(Filters=default)
    zones = set(subnets.search("Subnets[].AvailabilityZone"))
    if not zones:
        kind = [{"Name": "zone-type", "Values": ["availability-zone"]}]
        found = ec2.describe_availability_zones(Filters=kind)["AvailabilityZones"]
        zones = {zone["ZoneName"] for zone in found}
    return sorted(zones)
