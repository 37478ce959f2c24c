"""Who reaches what: the promises of the templates that must never be lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.templates import (
    RESOURCES,
    TEMPLATES,
    attributes,
    launch_template,
    of_type,
    statements,
    the,
)


def test_only_port_80_is_listened_on() -> None:
    assert [
        (listener["Port"], listener["Protocol"])
        for listener in of_type("ElasticLoadBalancingV2::Listener").values()
    ] == [(80, "HTTP")]


def test_only_the_page_and_now_reach_a_host() -> None:
    (default,) = the("ElasticLoadBalancingV2::Listener")["DefaultActions"]
    assert default["Type"] == "fixed-response"
    assert default["FixedResponseConfig"]["StatusCode"] == "404"
    rule = the("ElasticLoadBalancingV2::ListenerRule")
    (condition,) = rule["Conditions"]
    assert condition == {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/", "/now"]}}
    assert [action["Type"] for action in rule["Actions"]] == ["forward"]


def test_security_groups_let_through_the_service_its_checks_and_s3_and_nothing_else() -> None:
    rules = set()
    for name, group in of_type("EC2::SecurityGroup").items():
        for direction in ("Ingress", "Egress"):
            for rule in group[f"SecurityGroup{direction}"]:
                assert rule["Description"]
                peer = next(
                    str(rule[key])
                    for key in ("CidrIp", "SourceSecurityGroupId", "DestinationPrefixListId")
                    if key in rule
                )
                assert rule["FromPort"] == rule["ToPort"]
                rules.add((name, direction, rule["IpProtocol"], rule["FromPort"], peer))
    balancer, host = "network.BalancerSecurityGroup", "network.HostSecurityGroup"
    assert rules == {
        (balancer, "Ingress", "tcp", 80, "0.0.0.0/0"),
        (balancer, "Egress", "tcp", 80, "{'Fn::Sub': '10.${SecondOctet}.10.0/24'}"),
        (balancer, "Egress", "tcp", 80, "{'Fn::Sub': '10.${SecondOctet}.11.0/24'}"),
        (host, "Ingress", "tcp", 80, "{'Fn::GetAtt': 'BalancerSecurityGroup.GroupId'}"),
        (host, "Egress", "tcp", 443, "{'Ref': 'S3PrefixList'}"),
    }


def test_the_balancer_may_send_to_exactly_the_hosts_subnets() -> None:
    blocks = {
        str(TEMPLATES["network"].resources[name]["Properties"]["CidrBlock"])
        for name in subnets("PrivateSubnets")
    }
    egress = the_group("BalancerSecurityGroup")["SecurityGroupEgress"]
    assert {str(rule["CidrIp"]) for rule in egress} == blocks


def the_group(name: str) -> dict[str, Any]:
    return of_type("EC2::SecurityGroup")[f"network.{name}"]


def subnets(output: str) -> list[str]:
    """Logical ids of the subnets in an output of the network template."""
    return [ref(subnet) for subnet in TEMPLATES["network"].outputs[output]["Value"]["Fn::Join"][1]]


def routes(subnet: str) -> list[dict[str, Any]]:
    (table,) = (
        ref(association["RouteTableId"])
        for association in of_type("EC2::SubnetRouteTableAssociation").values()
        if ref(association["SubnetId"]) == subnet
    )
    return [
        route for route in of_type("EC2::Route").values() if ref(route["RouteTableId"]) == table
    ]


def test_hosts_have_no_way_to_or_from_the_internet() -> None:
    types = {resource["Type"] for resource in RESOURCES.values()}
    assert types.isdisjoint(
        f"AWS::EC2::{kind}"
        for kind in ("NatGateway", "EIP", "Instance", "EgressOnlyInternetGateway")
    )
    for subnet in subnets("PrivateSubnets"):
        assert routes(subnet) == [], subnet
    for subnet in subnets("PublicSubnets"):
        (route,) = routes(subnet)
        assert route["DestinationCidrBlock"] == "0.0.0.0/0"
    for name, declared in of_type("EC2::Subnet").items():
        assert declared["MapPublicIpOnLaunch"] is False, name
    for interface in launch_template()["NetworkInterfaces"]:
        assert interface["AssociatePublicIpAddress"] is False


def test_both_kinds_of_subnet_are_in_two_zones() -> None:
    for output in ("PublicSubnets", "PrivateSubnets"):
        zones = [
            TEMPLATES["network"].resources[name]["Properties"]["AvailabilityZone"]
            for name in subnets(output)
        ]
        assert [zone["Fn::Select"][0] for zone in zones] == [
            {"Ref": "ZoneIndexA"},
            {"Ref": "ZoneIndexB"},
        ]


def test_the_s3_endpoint_carries_exactly_three_buckets() -> None:
    endpoint = the("EC2::VPCEndpoint")
    assert endpoint["VpcEndpointType"] == "Gateway"
    allowed = {
        (
            statement["Action"],
            statement["Resource"]["Fn::Sub"].removeprefix("arn:${AWS::Partition}:s3:::"),
        )
        for statement in endpoint["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        and "Condition" not in statement
        and statement["Principal"] == "*"
    }
    assert len(endpoint["PolicyDocument"]["Statement"]) == 3
    assert allowed == {
        ("s3:GetObject", "${ArtifactsBucket}/*"),
        ("s3:GetObject", "al2023-repos-${AWS::Region}-de612dc2/*"),
        ("s3:PutObject", "cloudformation-waitcondition-${AWS::Region}/*"),
    }


def ref(value: Any) -> str:
    """Return the logical id that a Ref or GetAtt names."""
    if "Ref" in value:
        return str(value["Ref"])
    return str(value["Fn::GetAtt"]).split(".")[0]


def test_the_metadata_service_takes_tokens_only_and_is_one_hop_away() -> None:
    options = launch_template()["MetadataOptions"]
    assert options == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }


def test_nobody_logs_in() -> None:
    assert "KeyName" not in launch_template()


def test_volumes_are_encrypted_and_go_with_their_host() -> None:
    for device in launch_template()["BlockDeviceMappings"]:
        assert device["Ebs"]["Encrypted"] is True
        assert device["Ebs"]["DeleteOnTermination"] is True


def test_the_balancer_refuses_malformed_requests() -> None:
    balancer = attributes(the("ElasticLoadBalancingV2::LoadBalancer"))
    assert balancer["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert balancer["routing.http.desync_mitigation_mode"] in ("defensive", "strictest")


def test_no_policy_allows_a_wildcard_action_but_for_services_to_look() -> None:
    for name, statement in statements():
        actions = (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
        wild = [action for action in actions if "*" in action and statement["Effect"] == "Allow"]
        if wild:
            assert all(action.endswith(":Describe*") for action in wild), name
            condition = statement["Condition"]
            via = condition.get("ForAnyValue:StringEquals") or condition["Bool"]
            assert via in (
                {"aws:CalledVia": "cloudformation.amazonaws.com"},
                {"aws:ViaAWSService": "true"},
            ), name


def test_all_resources_are_allowed_only_under_a_condition() -> None:
    wide = [
        (name, statement["Action"])
        for name, statement in statements()
        if statement["Effect"] == "Allow"
        and statement["Resource"] == "*"
        and "Condition" not in statement
    ]
    assert wide == [("reviewer.Access", "iam:GetAccountPasswordPolicy")]  # IAM has no Regions


def test_a_host_may_read_one_object_and_nothing_else() -> None:
    allowed = [statement for name, statement in statements() if name == "hosts.HostRole"]
    assert [(statement["Action"], statement["Resource"]) for statement in allowed] == [
        ("s3:GetObject", {"Fn::Sub": "arn:${AWS::Partition}:s3:::${ArtifactsBucket}/${ImageKey}"})
    ]
    assert allowed[0]["Condition"] == {
        "StringEquals": {"aws:ResourceAccount": {"Ref": "AWS::AccountId"}}
    }


def test_the_function_may_write_its_log_and_its_metrics_and_nothing_else() -> None:
    allowed = {
        str(statement["Action"]): statement
        for name, statement in statements()
        if name == "healthcheck.FunctionRole"
    }
    assert set(allowed) == {
        "['logs:CreateLogStream', 'logs:PutLogEvents']",
        "cloudwatch:PutMetricData",
    }
    log = allowed["['logs:CreateLogStream', 'logs:PutLogEvents']"]["Resource"]["Fn::Sub"]
    assert log.endswith(":log-group:${LogGroup}:*")


def test_roles_have_no_policies_from_elsewhere_and_serve_one_service() -> None:
    for name, role in of_type("IAM::Role").items():
        if name == "reviewer.Role":  # people assume this role
            continue
        assert "ManagedPolicyArns" not in role, name
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        # EC2 sends no account when it assumes a role: a condition would lock EC2 out.
        account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        assert (trust["Principal"]["Service"], trust.get("Condition")) in (
            ("ec2.amazonaws.com", None),
            ("lambda.amazonaws.com", account),
        ), name


def test_a_reviewer_has_one_policy_that_is_its_boundary_and_no_credentials() -> None:
    for identity in (the("IAM::User"), reviewer_role()):
        assert (
            identity["ManagedPolicyArns"]
            == [identity["PermissionsBoundary"]]
            == [{"Ref": "Access"}]
        )
        assert {"Policies", "Groups", "LoginProfile"}.isdisjoint(identity)
    assert not of_type("IAM::AccessKey")


def test_a_reviewer_s_role_is_assumed_from_one_account_with_the_external_id_for_an_hour() -> None:
    role = reviewer_role()
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": {"Ref": "TrustedAccount"}}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}}
    assert role["MaxSessionDuration"] == 3600


def test_a_reviewer_is_a_user_or_a_role_and_never_both() -> None:
    conditions = TEMPLATES["reviewer"].content["Conditions"]
    for kind in ("user", "role"):
        condition = f"Is{kind.capitalize()}"
        assert conditions[condition] == {"Fn::Equals": [{"Ref": "Kind"}, kind]}
        assert RESOURCES[f"reviewer.{kind.capitalize()}"]["Condition"] == condition


def test_a_role_without_an_account_or_an_external_id_is_refused() -> None:
    rule = TEMPLATES["reviewer"].content["Rules"]["RoleIsTrustedToSomebody"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Kind"}, "role"]}
    assert [assertion["Assert"] for assertion in rule["Assertions"]] == [
        {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}
        for parameter in ("TrustedAccount", "ExternalId")
    ]


@pytest.mark.parametrize("character", "*?")
@pytest.mark.parametrize(
    "parameter",
    ["Deployment", "Release", "ArtifactsBucket", "LogGroup", "Function", "Dashboard"],
)
def test_no_parameter_is_a_wildcard_in_the_reviewer_s_policy(
    parameter: str, character: str
) -> None:
    assert TEMPLATES["reviewer"].find_fault(parameter, f"name{character}")


def test_roles_have_the_boundary_that_is_given() -> None:
    for name in ("hosts.HostRole", "healthcheck.FunctionRole"):
        part = name.split(".")[0]
        boundary = {
            "Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]
        }
        assert of_type("IAM::Role")[name]["PermissionsBoundary"] == boundary
        condition = TEMPLATES[part].content["Conditions"]["HasBoundary"]
        assert condition == {"Fn::Not": [{"Fn::Equals": [{"Ref": "PermissionsBoundary"}, ""]}]}


def test_what_a_reviewer_reads_of_stacks_holds_no_secret() -> None:
    """A signed URL is a secret, and so is what CloudFormation itself hides."""
    handles = {
        name.split(".")[1]
        for name, resource in RESOURCES.items()
        if resource["Type"].endswith("WaitConditionHandle")
    }
    assert handles
    for part, template in TEMPLATES.items():
        assert not any("NoEcho" in parameter for parameter in template.parameters.values()), part
        outputs = str(template.outputs)
        assert not any(name in outputs for name in handles), part
        assert "resolve:" not in template.body, part


def reviewer_role() -> dict[str, Any]:
    return of_type("IAM::Role")["reviewer.Role"]


def test_only_alarms_of_this_account_publish_alerts() -> None:
    (statement,) = (each for name, each in statements() if name == "balancer.AlertTopicPolicy")
    alarms = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*"
    assert statement == {
        "Sid": "AlarmsPublish",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": {"Ref": "AlertTopic"},
        "Condition": {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            "ArnLike": {"aws:SourceArn": {"Fn::Sub": alarms}},
        },
    }


def test_an_interrupted_upload_is_removed_after_a_day() -> None:
    assert the("S3::Bucket")["LifecycleConfiguration"]["Rules"] == [
        {
            "Id": "abort-incomplete-uploads",
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
    ]


def test_the_bucket_is_private_and_encrypted() -> None:
    bucket = the("S3::Bucket")
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_the_bucket_denies_nothing_but_plain_http() -> None:
    """A deny by VPC endpoint would lock out the deployer."""
    (statement,) = the("S3::BucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == (
        "Deny",
        "*",
        "s3:*",
    )
    assert statement["Resource"] == [{"Fn::GetAtt": "Bucket.Arn"}, {"Fn::Sub": "${Bucket.Arn}/*"}]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
