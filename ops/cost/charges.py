"""What AWS charges for each resource. A type or a property that is not listed here is an error, and never free."""

from __future__ import annotations

from collections.abc import Iterator

from ops.cost.charge import Charge, Model, nothing, require
from ops.cost.resources import Resource, Resources
from ops.cost.serving import (
    GROUP,
    RULE,
    balancer,
    endpoint,
    hosts,
    launch_template,
    scaling_policy,
)
from ops.cost.usage import ARCHIVES, Usage
from ops.cost.watching import (
    alarm,
    dashboard,
    function,
    log_group,
    schedule,
    subscription,
    topic,
)


def bucket(one: Resource, all_of: Resources, usage: Usage) -> Iterator[Charge]:
    """Requests are charged with a release, which makes them."""
    for rule in one.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]:
        used = rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
        require(used == "AES256", one, f"is encrypted with {used}")
    yield Charge("archives in S3", "AmazonS3/TimedStorage-ByteHrs", ARCHIVES)


# Free, whatever their properties: by themselves, or because another type is charged for them.
FREE = {
    "AWS::Budgets::Budget",  # without actions, which would be a type of their own
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::EC2::InternetGateway",  # the data that leaves through it is charged with the balancer
    "AWS::EC2::Route",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::TargetGroup",  # data between an ALB's zones is free
    RULE,  # part of the balancer's capacity units
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
}

# The properties that a model knows, as any other may cost something, and the model.
MODELS: dict[str, tuple[set[str], Model]] = {
    GROUP: (
        {"VPCZoneIdentifier", "LaunchTemplate", "MinSize", "MaxSize", "DesiredCapacity", "TargetGroupARNs",
         "HealthCheckType", "HealthCheckGracePeriod", "Tags"},
        hosts,
    ),
    "AWS::AutoScaling::ScalingPolicy": (
        {"AutoScalingGroupName", "PolicyType", "EstimatedInstanceWarmup", "TargetTrackingConfiguration"},
        scaling_policy,
    ),
    "AWS::CloudWatch::Alarm": (
        {"AlarmDescription", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods",
         "ComparisonOperator", "Threshold", "TreatMissingData", "AlarmActions", "OKActions"},
        alarm,
    ),
    "AWS::CloudWatch::Dashboard": ({"DashboardBody"}, dashboard),
    "AWS::EC2::LaunchTemplate": ({"LaunchTemplateData", "TagSpecifications"}, launch_template),
    "AWS::EC2::Subnet": (
        {"VpcId", "AvailabilityZone", "CidrBlock", "MapPublicIpOnLaunch", "Tags"},
        nothing,
    ),
    "AWS::EC2::VPC": ({"CidrBlock", "EnableDnsSupport", "EnableDnsHostnames", "Tags"}, nothing),
    "AWS::EC2::VPCEndpoint": (
        {"VpcId", "ServiceName", "VpcEndpointType", "RouteTableIds", "PolicyDocument"},
        endpoint,
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
        {"Type", "Scheme", "IpAddressType", "Subnets", "SecurityGroups", "LoadBalancerAttributes"},
        balancer,
    ),
    "AWS::Events::Rule": ({"Description", "ScheduleExpression", "State", "Targets"}, schedule),
    "AWS::Lambda::Function": (
        {"Description", "Runtime", "Architectures", "Handler", "Code", "Role", "LoggingConfig", "Timeout",
         "MemorySize", "Environment"},
        function,
    ),
    "AWS::Logs::LogGroup": ({"RetentionInDays"}, log_group),
    "AWS::S3::Bucket": (
        {"PublicAccessBlockConfiguration", "OwnershipControls", "BucketEncryption", "LifecycleConfiguration"},
        bucket,
    ),
    "AWS::SNS::Subscription": ({"TopicArn", "Protocol", "Endpoint"}, subscription),
    "AWS::SNS::Topic": ({"DisplayName"}, topic),
}  # fmt: skip


def charges(all_of: Resources, usage: Usage) -> list[Charge]:
    """Of all resources; what is alike is added up. Raises UnknownCost, which names the resource."""
    total: dict[tuple[str, str], float] = {}
    for one in all_of.all:
        for what, name, quantity in of(one, all_of, usage):
            total[what, name] = total.get((what, name), 0) + quantity
    return [Charge(what, name, quantity) for (what, name), quantity in total.items()]


def of(one: Resource, all_of: Resources, usage: Usage) -> list[Charge]:
    if one.type in FREE:
        return []
    require(one.type in MODELS, one, "is of a type that has no model")
    known, model = MODELS[one.type]
    unknown = sorted(set(one.properties) - known)
    require(not unknown, one, f"has {', '.join(unknown)}")
    try:
        return list(model(one, all_of, usage))
    except KeyError as missing:
        require(False, one, f"has no {missing.args[0]}")
        raise
