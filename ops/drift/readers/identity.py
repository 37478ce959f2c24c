"""Roles, users and their policies."""

from __future__ import annotations

from ops.drift.compare import NOTHING
from ops.drift.readers.reader import Client, Properties, Reader


def role(client: Client, identity: str, _: Properties) -> Properties:
    iam = client("iam")
    found = iam.get_role(RoleName=identity)["Role"]
    attached = iam.list_attached_role_policies(RoleName=identity)["AttachedPolicies"]
    policies = [
        iam.get_role_policy(RoleName=identity, PolicyName=name)
        for name in iam.list_role_policies(RoleName=identity)["PolicyNames"]
    ]
    return {**found, "Policies": policies, **_limits(found, attached)}


def user(client: Client, identity: str, _: Properties) -> Properties:
    iam = client("iam")
    found = iam.get_user(UserName=identity)["User"]
    attached = iam.list_attached_user_policies(UserName=identity)["AttachedPolicies"]
    policies = iam.list_user_policies(UserName=identity)["PolicyNames"]
    groups = iam.list_groups_for_user(UserName=identity)["Groups"]
    return {
        **found,
        "Policies": policies,
        "Groups": [one["GroupName"] for one in groups],
        **_limits(found, attached),
    }


def _limits(found: Properties, attached: list[Properties]) -> Properties:
    return {
        "ManagedPolicyArns": [one["PolicyArn"] for one in attached],
        "PermissionsBoundary": found.get("PermissionsBoundary", {}).get(
            "PermissionsBoundaryArn", NOTHING
        ),
    }


def managed_policy(client: Client, identity: str, _: Properties) -> Properties:
    """By its version that is in force."""
    iam = client("iam")
    found = iam.get_policy(PolicyArn=identity)["Policy"]
    version = iam.get_policy_version(PolicyArn=identity, VersionId=found["DefaultVersionId"])
    return {**found, "PolicyDocument": version["PolicyVersion"]["Document"]}


def instance_profile(client: Client, identity: str, _: Properties) -> Properties:
    name = identity.rpartition("/")[2]
    found = client("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    return {"Roles": [one["RoleName"] for one in found["Roles"]]}


READERS: dict[str, Reader] = {
    "AWS::IAM::Role": role,
    "AWS::IAM::User": user,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::IAM::InstanceProfile": instance_profile,
}
