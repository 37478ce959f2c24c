"""All requests of a deployment: those of the program, and those of CloudFormation for it."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from deployment.permissions import read_permissions
from tests.cfn.permissions.emulator import ACCOUNT, REGION
from tests.cfn.permissions.evaluators import Question, actions
from tests.cfn.permissions.handlers import list_needed, templates_types
from tests.cfn.permissions.inside import BUCKET, DEPLOYMENT, RELEASE

# The program's actions, and their callers. stack.go and object.go are files of the Terraform
# provider that Pulumi's is made from. CloudFormation's user guide has the rest.
PROGRAM = {
    "cloudformation:CreateStack": "stack.go",
    "cloudformation:DeleteStack": "stack.go",
    "cloudformation:DescribeStackEvents": "stack.go, for the reason of a failure",
    "cloudformation:DescribeStackResources": "deployment/bucket.py",
    "cloudformation:DescribeStacks": "stack.go",
    "cloudformation:GetTemplate": "stack.go, when it reads",
    "cloudformation:ListStacks": "deployment/state.py",
    "cloudformation:SetStackPolicy": (
        "CreateStack and UpdateStack with a policy (Prevent updates to stack resources)"
    ),
    "cloudformation:TagResource": "CreateStack and UpdateStack with tags",
    "cloudformation:UntagResource": "UpdateStack with fewer tags",
    "cloudformation:UpdateStack": "stack.go",
    "ec2:DescribeAvailabilityZones": "deployment/preflight.py",
    "ec2:DescribeInstanceTypeOfferings": "deployment/preflight.py",
    "ec2:DescribePrefixLists": "aws.ec2.get_prefix_list",
    "ec2:DescribeSubnets": "deployment/preflight.py",
    "s3:AbortMultipartUpload": "object.go, when an upload breaks",
    "s3:DeleteObject": "object.go",
    "s3:DeleteObjectVersion": "deployment/bucket.py",
    "s3:GetObject": "object.go (HeadObject)",
    "s3:GetObjectTagging": "object.go, when it reads",
    "s3:ListBucket": "object.go: without it, HeadObject of what is gone is refused",
    "s3:ListBucketMultipartUploads": "deployment/bucket.py",
    "s3:ListBucketVersions": "deployment/bucket.py",
    "s3:PutObject": "object.go",
    "servicequotas:GetAWSDefaultServiceQuota": "deployment/preflight.py",
    "servicequotas:GetServiceQuota": "deployment/preflight.py",
    "ssm:GetParameter": "aws.ssm.get_parameter",
    "ssm:GetParameters": "CloudFormation, for a parameter of type AWS::SSM::Parameter::Value",
}
# deployment/preflight.py asks these about resources that are no part of the deployment.
PREFLIGHT = {
    "budgets:ViewBudget",
    "iam:CreateServiceLinkedRole",
    "iam:GetPolicy",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
}
# CloudFormation looks up zones for Fn::GetAZs, and parameters of an AWS type.
LOOKED_UP = {
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
}
# Requests of the services that CloudFormation calls, in the deployer's name. Auto Scaling:
# CloudTrail of a CreateAutoScalingGroup. The balancer: AWS's managed policy
# ElasticLoadBalancingFullAccess, and aws-load-balancer-controller#3917 for the security groups.
CALLED_BY_SERVICES = {
    row["action"]
    for row in read_permissions()
    if row["caller"] in ("autoscaling", "elasticloadbalancing")
}


def _regional(service: str, *resources: str) -> list[str]:
    return [f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}" for resource in resources]


HOSTS, HEALTHCHECK = f"{DEPLOYMENT}-hosts-{RELEASE}", f"{DEPLOYMENT}-healthcheck"
BALANCER = f"{DEPLOYMENT}-balancer"
# One ARN of each kind of resource in a deployment.
RESOURCES = [
    f"arn:aws:s3:::{BUCKET}",
    f"arn:aws:s3:::{BUCKET}/images/{RELEASE}.tar.gz",
    f"arn:aws:ec2:{REGION}::image/ami-1",
    f"arn:aws:budgets::{ACCOUNT}:budget/Budget-1",
    f"arn:aws:iam::{ACCOUNT}:instance-profile/{HOSTS}-HostInstanceProfile-1",
    f"arn:aws:iam::{ACCOUNT}:role/{HOSTS}-HostRole-1",
    f"arn:aws:iam::{ACCOUNT}:role/{HEALTHCHECK}-FunctionRole-1",
    f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/Dashboard-1",
    f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{HEALTHCHECK}-Dashboard-1",
    *_regional("cloudwatch", f"alarm:{BALANCER}-Alarm-1", f"alarm:{HEALTHCHECK}-Alarm-1"),
    *_regional("cloudwatch", f"alarm:TargetTracking-{HOSTS}-HostGroup-1-AlarmHigh-1"),
    *_regional("events", f"rule/{HEALTHCHECK}-Schedule-1"),
    *_regional("lambda", f"function:{HEALTHCHECK}-Function-1"),
    *_regional("logs", f"log-group:{HEALTHCHECK}-LogGroup-1"),
    *_regional("sns", f"{BALANCER}-AlertTopic-1"),
    *_regional("servicequotas", "ec2/L-1216C47A"),
    *_regional(
        "ssm", "parameter/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    ),
    *_regional("autoscaling", f"autoScalingGroup:1:autoScalingGroupName/{HOSTS}-HostGroup-1"),
    *_regional(
        "elasticloadbalancing",
        "loadbalancer/app/a/1",
        "targetgroup/a/1",
        "listener/app/a/1/2",
        "listener-rule/app/a/1/2/3",
    ),
    *_regional(
        "ec2",
        "instance/*",
        "internet-gateway/1",
        "launch-template/1",
        "network-interface/*",
        "route-table/1",
        "security-group/1",
        "subnet/1",
        "volume/*",
        "vpc/1",
        "vpc-endpoint/1",
    ),
    *_regional(
        "cloudformation",
        *(
            f"stack/{DEPLOYMENT}-{part}/1"
            for part in ("budget", "artifacts", "network", "balancer")
        ),
        f"stack/{HOSTS}/1",
        f"stack/{HEALTHCHECK}/1",
    ),
]
LAUNCHED = re.compile(":(?:instance|volume)/")
SERVICE_LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role"


def questions(boundary: str) -> list[Question]:
    needs = []
    for action in sorted(PROGRAM):
        needs += [Question(action, resource, _usual()) for resource in _resources(action)]
    needs += _for_preflight(boundary)
    handlers = set().union(*map(list_needed, templates_types())) | LOOKED_UP
    for action in sorted(_expand(handlers)):
        needs += _for_cloudformation(action, boundary)
    for action in sorted(CALLED_BY_SERVICES):
        needs += _for_service(action)
    return needs


def _for_preflight(boundary: str) -> list[Question]:
    roles = {
        "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
        "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    }
    user = Question(
        "iam:SimulatePrincipalPolicy",
        f"arn:aws:iam::{ACCOUNT}:user/deployer",
        _usual() | {"aws:username": "deployer"},
    )
    needs = [
        user,
        Question("iam:GetPolicy", boundary, _usual()),
        Question("budgets:ViewBudget", f"arn:aws:budgets::{ACCOUNT}:budget/*", _usual()),
    ]
    for service, role in roles.items():
        arn = f"{SERVICE_LINKED}/{service}/{role}"
        # A role that does not exist has no path.
        for resource in (arn, f"arn:aws:iam::{ACCOUNT}:role/{role}"):
            needs.append(Question("iam:GetRole", resource, _usual()))
        name = {"iam:AWSServiceName": service}
        needs.append(Question("iam:CreateServiceLinkedRole", arn, _usual() | name))
    assert {question.action for question in needs} == PREFLIGHT
    return needs


def _expand(permissions: set[str]) -> set[str]:
    """Return the actions of all patterns, except those on resources that a deployment does not
    have."""
    every = actions(*{action.split(":")[0] for action in permissions})
    names = {action for action in permissions if "*" not in action}
    for pattern in permissions - names:
        names |= {
            action
            for action in every
            if fnmatchcase(action, pattern) and not every[action].resources
        }
    return names


def _for_cloudformation(action: str, boundary: str) -> list[Question]:
    context = _usual() | {
        "aws:CalledVia": "cloudformation.amazonaws.com",
        "aws:ViaAWSService": "true",
    }
    if action == "iam:CreateServiceLinkedRole":
        return [
            Question(
                action, f"{SERVICE_LINKED}/{service}/x", context | {"iam:AWSServiceName": service}
            )
            for service in ("autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com")
        ]
    context |= {"iam:PermissionsBoundary": boundary, "ec2:InstanceType": "t3.micro"}
    needs = []
    for resource in _resources(action):
        if action == "ec2:CreateTags" and LAUNCHED.search(resource):
            continue  # Auto Scaling tags those
        service = "lambda" if "healthcheck" in resource else "ec2"
        own = {"iam:PassedToService": f"{service}.amazonaws.com"} | _tags(action, resource)
        needs.append(Question(action, resource, context | own))
    return needs


def _for_service(action: str) -> list[Question]:
    """Return the requests of a second service, for which AWS documents no aws:CalledVia."""
    context = _usual() | {"aws:ViaAWSService": "true", "ec2:InstanceType": "t3.micro"}
    return [
        Question(action, resource, context)
        for resource in _resources(action)
        if action != "ec2:CreateTags" or LAUNCHED.search(resource)
    ]


def _usual() -> dict[str, str]:
    return {"aws:RequestedRegion": REGION, "aws:ResourceAccount": ACCOUNT}


def _tags(action: str, resource: str) -> dict[str, str]:
    """Return the tags of the resource; none while it is being made, launched or tagged."""
    if resource == "*":
        return {}
    kind = resource.split(":")[5].split("/")[0]
    makes = action.split(":")[1].removeprefix("Create").lower() == kind.replace("-", "")
    if makes or action in ("ec2:CreateTags", "elasticloadbalancing:AddTags", "ec2:RunInstances"):
        return {}
    if kind == "launch-template":
        return {"aws:ResourceTag/Name": HOSTS}
    return {"aws:ResourceTag/deployment": DEPLOYMENT}


def _resources(action: str) -> list[str]:
    """Return our resources that the action applies to; `*` if it has no resources."""
    forms = actions(action.split(":")[0])[action].resources
    # The resources that AWS lists for GetMetricData are a new kind of metrics, which we do not
    # have.
    if not forms or action == "cloudwatch:GetMetricData":
        return ["*"]
    matches = [arn for arn in RESOURCES if any(_is_of(arn, form) for form in forms)]
    if action != "ec2:RunInstances":
        matches = [arn for arn in matches if not re.search(":image/|:network-interface/", arn)]
    assert matches, f"{action} is about none of the things in RESOURCES"
    return matches


def _is_of(resource: str, form: str) -> bool:
    plain = re.escape(form.replace("${BucketName}", "BUCKET"))
    pattern = re.sub(r"\\\$\\\{\w+\\\}", "[^:]*", plain).replace("BUCKET", "[^/]*")
    return re.fullmatch(pattern, resource) is not None
