"""The permissions that CloudFormation needs for the resources of the templates, from AWS's schemas.

The schema of a resource type lists the permissions of its create, read, update and delete handlers,
for all properties of the type. cfn-lint has these schemas. UNUSED has the permissions that no
property of our templates needs, each with the reason.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import cfnlint

from deployment.template import PARTS
from tests.support.templates import TEMPLATES

SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas"
REGION = "us-east-1"


# type -> what its handlers name and none of our templates needs -> why
UNUSED: dict[str, dict[str, str]] = {
    "AWS::AutoScaling::AutoScalingGroup": {
        "autoscaling:*Collection": "no metrics of groups, which would cost",
        "autoscaling:*InstanceRefresh": "a release is a new group",
        "autoscaling:*LifecycleHook": "no hooks",
        "autoscaling:*NotificationConfiguration": "no notifications of groups",
        "autoscaling:*Processes": "none is suspended",
        "autoscaling:[AD]*tach*": "a group is never updated",
        "ec2:Get*": "but for ec2:GetSecurityGroupsForVpc, which needs.CALLED_BY_SERVICES lists",
        "managed-fleets:*": "no managed fleets",
        "ssm:Get*": "the template's parameter has looked up the image",
        "vpc-lattice:*": "no VPC Lattice",
    },
    "AWS::Budgets::Budget": {"billing:*": "no view of a part of the bill"},
    "AWS::EC2::Subnet": {"ec2:*SubnetCidrBlock": "no IPv6"},
    "AWS::EC2::VPC": {
        "ec2:CreateVpcEncryptionControl": "it costs by the hour",
        "ec2:ModifyVpcTenancy": "no dedicated machines",
    },
    "AWS::EC2::VPCEndpoint": {
        "vpc-lattice:*": "no VPC Lattice",
        "vpce:*": "S3 of its own Region alone",
    },
    "AWS::EC2::VPCGatewayAttachment": {"ec2:*tachVpnGateway": "no VPN"},
    "AWS::ElasticLoadBalancingV2::Listener": {"cognito-idp:*": "asks nobody who they are"},
    "AWS::ElasticLoadBalancingV2::ListenerRule": {"cognito-idp:*": "asks nobody who they are"},
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {
        "elasticloadbalancing:Modify[CI]*": "neither reserved capacity nor pools of addresses",
    },
    "AWS::ElasticLoadBalancingV2::TargetGroup": {
        "elasticloadbalancing:*isterTargets": "Auto Scaling registers hosts, in its own name",
    },
    "AWS::IAM::Role": {
        "iam:*tachRolePolicy": "roles have no policies from elsewhere",
        "iam:*RolePermissionsBoundary": "a role keeps the boundary that it was made with",
    },
    "AWS::Lambda::Function": {
        "elasticfilesystem:*": "mounts nothing",
        "kms:*": "no keys of our own",
        "lambda:*CapacityProvider": "runs on Lambda's own",
        "lambda:*FunctionConcurrency": "none is reserved",
        "lambda:AssociateRuntimeAlias": "AWS's runtime, as AWS updates it",
        "lambda:[DP]*CodeSigningConfig": "code is not signed",
        "lambda:GetCodeSigningConfig": "code is not signed",
        "lambda:GetLayerVersion": "no layers",
        "lambda:PublishVersion": "no versions",
        "lambda:PutFunction[RS]*Config": "AWS's defaults",
        "lambda:PutRuntimeManagementConfig": "AWS's runtime, as AWS updates it",
        "s3:GetObjectVersion": "the bucket keeps no versions",
        "s3files:*": "mounts nothing",
    },
    "AWS::Logs::LogGroup": {
        "firehose:*": "logs go nowhere else",
        "logs:*BearerTokenAuthentication": "writers sign their requests",
        "logs:*IndexPolicy": "no field indexes",
        "logs:*KmsKey": "no keys of our own",
        "logs:*LogDelivery": "logs go nowhere else",
        "logs:*LogGroupDeletionProtection": "it goes with its stack",
        "logs:[DP]*ResourcePolicy": "logs go nowhere else",
        "logs:PutDataProtectionPolicy": "nothing in it is personal",
        "s3:REST.PUT.OBJECT": "logs go nowhere else",
    },
    "AWS::S3::Bucket": {
        "iam:PassRole": "no replication",
        "s3:[CD]*MetadataTableConfiguration": "no tables of metadata",
        "s3:DeleteBucket?*": "what the template sets it keeps",
        "s3:DeleteObject": "the program deletes its objects itself",
        "s3:Put[AIM]*Configuration": "no acceleration, analytics, inventory or metrics",
        "s3:Put*ObjectLockConfiguration": "nothing may outlive the deployment",
        "s3:Put*Replication*": "no replication",
        "s3:PutBucket[ACLNVW]*": "no ABAC, ACL, CORS, log, notifications, versions or website",
        "s3:PutObjectAcl": "no ACLs",
        "s3:UpdateBucketMetadata*": "no tables of metadata",
        "s3tables:*": "no tables of metadata",
    },
    "AWS::SNS::Subscription": {"iam:*": "e-mail, which needs no role"},
    "AWS::SNS::Topic": {
        "iam:*": "no delivery log",
        "sns:PutDataProtectionPolicy": "messages hold names of alarms",
    },
}


def templates_types() -> set[str]:
    """Return the resource types of the deployer's stacks. An administrator makes the reviewer's."""
    return {
        resource["Type"]
        for part in (*PARTS, "budget")
        for resource in TEMPLATES[part].resources.values()
    }


def schema(type_: str) -> dict[str, Any]:
    providers = json.loads((SCHEMAS / "providers" / f"{REGION}.json").read_text())
    content: dict[str, Any] = json.loads(
        (SCHEMAS / "resources" / f"{providers[type_]}.json").read_text()
    )
    return content


def list_permissions(type_: str) -> set[str]:
    """All permissions that the type's handlers name, but for `list`, which no stack calls."""
    content = schema(type_)
    handlers = {**content.get("handlers", {})}
    handlers.pop("list", None)
    permissions = {action for handler in handlers.values() for action in handler["permissions"]}
    return permissions | set(content.get("tagging", {}).get("permissions", []))


def list_unused(type_: str) -> set[str]:
    return {
        action
        for action in list_permissions(type_)
        for each in UNUSED.get(type_, {})
        if fnmatchcase(action, each)
    }


def list_needed(type_: str) -> set[str]:
    return list_permissions(type_) - list_unused(type_)
