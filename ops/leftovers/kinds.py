"""What a deployment may leave behind on AWS: how each kind is listed, told apart, and removed."""

from __future__ import annotations

from typing import NamedTuple

ENDED = ("terminated", "shutting-down", "deleted", "deleting", "DELETE_COMPLETE")


class Kind(NamedTuple):
    """One kind of resource; JMESPath: of the answer in `listed`, of what that lists in id, called, tags, vpc, state."""

    name: str
    arns: str  # "service:type", of these and of what cannot be without them; of the tagging API
    service: str  # boto3's
    operation: str  # boto3's; pages are followed
    listed: str
    id: str  # as `remove` takes it
    remove: str  # commands of the AWS CLI, with {id}, {vpc} and {account}
    called: str = ""  # the name that may tell whose it is; by default the id
    tags: str = "Tags"  # as a list of {Key, Value}
    vpc: str = "VpcId"
    state: str = "State"  # what is ENDED is not left: it goes by itself
    options: tuple[tuple[str, object], ...] = ()  # of the request


# In an order in which they can be removed: what uses another comes before it.
KINDS = (
    Kind(
        "stack", "cloudformation:stack", "cloudformation", "list_stacks", "StackSummaries[]", "StackName",
        "aws cloudformation delete-stack --stack-name {id}", state="StackStatus",
    ),
    Kind(
        "Auto Scaling group", "autoscaling:autoScalingGroup", "autoscaling", "describe_auto_scaling_groups",
        "AutoScalingGroups[]", "AutoScalingGroupName",
        "aws autoscaling delete-auto-scaling-group --force-delete --auto-scaling-group-name {id}", state="",
    ),
    Kind(
        "instance", "ec2:instance", "ec2", "describe_instances", "Reservations[].Instances[]", "InstanceId",
        "aws ec2 terminate-instances --instance-ids {id}", state="State.Name",
    ),
    Kind(
        "launch template", "ec2:launch-template", "ec2", "describe_launch_templates", "LaunchTemplates[]",
        "LaunchTemplateId", "aws ec2 delete-launch-template --launch-template-id {id}", "LaunchTemplateName",
    ),
    Kind(
        "load balancer",
        "elasticloadbalancing:loadbalancer elasticloadbalancing:listener elasticloadbalancing:listener-rule",
        "elbv2", "describe_load_balancers", "LoadBalancers[]", "LoadBalancerArn",
        "aws elbv2 delete-load-balancer --load-balancer-arn {id}", "LoadBalancerName", state="",
    ),
    Kind(
        "target group", "elasticloadbalancing:targetgroup", "elbv2", "describe_target_groups", "TargetGroups[]",
        "TargetGroupArn", "aws elbv2 delete-target-group --target-group-arn {id}", "TargetGroupName",
    ),
    Kind(
        "function", "lambda:function", "lambda", "list_functions", "Functions[]", "FunctionName",
        "aws lambda delete-function --function-name {id}", vpc="",
    ),
    Kind(
        "schedule", "events:rule", "events", "list_rules", "Rules[]", "Name",
        "aws events remove-targets --ids healthcheck --rule {id} && aws events delete-rule --name {id}", state="",
    ),
    Kind(
        "alarm", "cloudwatch:alarm", "cloudwatch", "describe_alarms", "MetricAlarms[]", "AlarmName",
        "aws cloudwatch delete-alarms --alarm-names {id}",
    ),
    Kind(
        "dashboard", "cloudwatch:dashboard", "cloudwatch", "list_dashboards", "DashboardEntries[]",
        "DashboardName", "aws cloudwatch delete-dashboards --dashboard-names {id}",
    ),
    Kind(
        "topic", "sns:", "sns", "list_topics", "Topics[].{Arn: TopicArn, Name: TopicArn}", "Arn",
        "aws sns delete-topic --topic-arn {id}", "Name",
    ),
    Kind(
        "log group", "logs:log-group", "logs", "describe_log_groups", "logGroups[]", "logGroupName",
        "aws logs delete-log-group --log-group-name {id}",
    ),
    Kind(
        "bucket", "s3:", "s3", "list_buckets", "Buckets[]", "Name", "aws s3api delete-bucket --bucket {id}",
    ),
    Kind(
        "volume", "ec2:volume", "ec2", "describe_volumes", "Volumes[]", "VolumeId",
        "aws ec2 delete-volume --volume-id {id}",
    ),
    Kind(
        "snapshot", "ec2:snapshot", "ec2", "describe_snapshots", "Snapshots[]", "SnapshotId",
        "aws ec2 delete-snapshot --snapshot-id {id}", options=(("OwnerIds", ["self"]),),
    ),
    Kind(
        "NAT gateway", "ec2:natgateway", "ec2", "describe_nat_gateways", "NatGateways[]", "NatGatewayId",
        "aws ec2 delete-nat-gateway --nat-gateway-id {id}",
    ),
    Kind(
        "address", "ec2:elastic-ip", "ec2", "describe_addresses", "Addresses[]", "AllocationId",
        "aws ec2 release-address --allocation-id {id}",
    ),
    Kind(
        "VPC endpoint", "ec2:vpc-endpoint", "ec2", "describe_vpc_endpoints", "VpcEndpoints[]", "VpcEndpointId",
        "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {id}",
    ),
    Kind(
        "network interface", "ec2:network-interface", "ec2", "describe_network_interfaces", "NetworkInterfaces[]",
        "NetworkInterfaceId", "aws ec2 delete-network-interface --network-interface-id {id}", tags="TagSet",
    ),
    Kind(
        "security group", "ec2:security-group ec2:security-group-rule", "ec2", "describe_security_groups",
        "SecurityGroups[?GroupName != 'default']", "GroupId", "aws ec2 delete-security-group --group-id {id}",
        "GroupName",
    ),
    Kind(
        "subnet", "ec2:subnet", "ec2", "describe_subnets", "Subnets[]", "SubnetId",
        "aws ec2 delete-subnet --subnet-id {id}",
    ),
    Kind(
        "route table", "ec2:route-table", "ec2", "describe_route_tables", "RouteTables[?!(Associations[?Main])]",
        "RouteTableId", "aws ec2 delete-route-table --route-table-id {id}",
    ),
    Kind(
        "Internet gateway", "ec2:internet-gateway", "ec2", "describe_internet_gateways", "InternetGateways[]",
        "InternetGatewayId",
        "aws ec2 detach-internet-gateway --vpc-id {vpc} --internet-gateway-id {id} && "
        "aws ec2 delete-internet-gateway --internet-gateway-id {id}",
        vpc="Attachments[0].VpcId",
    ),
    Kind(
        "VPC", "ec2:vpc ec2:network-acl", "ec2", "describe_vpcs", "Vpcs[]", "VpcId",
        "aws ec2 delete-vpc --vpc-id {id}",
    ),
    Kind(
        "instance profile", "iam:instance-profile", "iam", "list_instance_profiles", "InstanceProfiles[]",
        "InstanceProfileName", "aws iam delete-instance-profile --instance-profile-name {id}",
    ),
    Kind(
        "role", "iam:role", "iam", "list_roles", "Roles[]", "RoleName", "aws iam delete-role --role-name {id}",
    ),
    Kind(
        "user", "iam:user iam:mfa", "iam", "list_users", "Users[]", "UserName",
        "aws iam delete-login-profile --user-name {id}; aws iam delete-user --user-name {id}",
    ),
    Kind(
        "policy", "iam:policy", "iam", "list_policies", "Policies[]", "Arn",
        "aws iam delete-policy --policy-arn {id}", "PolicyName", options=(("Scope", "Local"),),
    ),
    Kind(
        "budget", "budgets:budget", "budgets", "describe_budgets", "Budgets[]", "BudgetName",
        "aws budgets delete-budget --account-id {account} --budget-name {id}", options=(("AccountId", "{account}"),),
    ),
)  # fmt: skip
