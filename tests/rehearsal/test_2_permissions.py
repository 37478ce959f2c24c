"""IAM gives the deployer, the hosts and the function what they need, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from botocore.exceptions import ClientError

from local import api
from tests.rehearsal.cloud import NAME, aws, hosts, run

pytestmark = pytest.mark.rehearsal


# The hosts' role, used on a host


def aws_cli(engine: docker.DockerClient, *command: str) -> tuple[int, str]:
    return run(hosts(engine)[0], "aws", *command)


def artifacts(engine: docker.DockerClient) -> tuple[str, str, str]:
    """The bucket, the image's key and the package's."""
    s3 = aws(engine, "s3")
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    (image,) = (key for key in keys if key.startswith("images/"))
    (package,) = (key for key in keys if key.startswith("healthcheck/"))
    return bucket, image, package


def test_a_host_reads_the_image_of_its_release(engine: docker.DockerClient) -> None:
    bucket, image, _ = artifacts(engine)
    status, output = aws_cli(engine, "s3", "cp", f"s3://{bucket}/{image}", "/dev/null")
    assert status == 0, output


def test_a_host_reads_and_writes_nothing_else(engine: docker.DockerClient) -> None:
    bucket, image, package = artifacts(engine)
    aws(engine, "s3").put_object(Bucket=bucket, Key="images/another.tar.gz", Body=b"")
    try:
        for refused in (
            ["s3", "cp", f"s3://{bucket}/{package}", "/dev/null"],
            ["s3", "cp", f"s3://{bucket}/images/another.tar.gz", "/dev/null"],
            ["s3", "ls", f"s3://{bucket}"],
            ["s3", "ls"],
            ["s3", "cp", "/etc/hostname", f"s3://{bucket}/{image}"],
            ["s3", "rm", f"s3://{bucket}/{image}"],
            ["s3", "cp", f"s3://another-bucket/{image}", "/dev/null"],
        ):
            status, output = aws_cli(engine, *refused)
            assert status != 0, refused
            assert "403" in output or "AccessDenied" in output or "()" in output, output
    finally:
        aws(engine, "s3").delete_object(Bucket=bucket, Key="images/another.tar.gz")


def role_of(engine: docker.DockerClient) -> api.Credentials:
    """Return what the metadata service tells a host, and an attacker on that host."""
    script = (
        "token=$(curl -s -X PUT http://169.254.169.254/latest/api/token "
        "-H 'X-aws-ec2-metadata-token-ttl-seconds: 60'); "
        'ask() { curl -s -H "X-aws-ec2-metadata-token: $token" '
        'http://169.254.169.254/latest/meta-data/iam/security-credentials/$1; }; ask "$(ask)"'
    )
    status, output = run(hosts(engine)[0], "bash", "-c", script)
    assert status == 0
    content = json.loads(output)
    return api.Credentials(content["AccessKeyId"], content["SecretAccessKey"], content["Token"])


def endpoint(engine: docker.DockerClient) -> str:
    networks = engine.containers.get(f"{NAME}-api").attrs["NetworkSettings"]["Networks"]
    return f"http://{networks[f'{NAME}-edge']['IPAddress']}:4566"


# What an attacker would try with a role's credentials -> the action that the API then refuses
TRIES: dict[str, Callable[[Any], Any]] = {
    "ec2:DescribeInstances": lambda make: make("ec2").describe_instances(),
    "ec2:CreateVpc": lambda make: make("ec2").create_vpc(CidrBlock="10.0.0.0/16"),
    "iam:ListUsers": lambda make: make("iam").list_users(),
    "iam:CreateUser": lambda make: make("iam").create_user(UserName="mallory"),
    "cloudformation:DeleteStack": lambda make: make("cloudformation").delete_stack(
        StackName="timeservice-local-network"
    ),
    "s3:ListAllMyBuckets": lambda make: make("s3").list_buckets(),
    "lambda:ListFunctions": lambda make: make("lambda").list_functions(),
    "sns:ListTopics": lambda make: make("sns").list_topics(),
    "ssm:DescribeParameters": lambda make: make("ssm").describe_parameters(),
    "cloudwatch:PutMetricData": lambda make: make("cloudwatch").put_metric_data(
        Namespace="AWS/ApplicationELB", MetricData=[{"MetricName": "HealthyHostCount", "Value": 2}]
    ),
    "sts:AssumeRole": lambda make: make("sts").assume_role(
        RoleArn="arn:aws:iam::000000000000:role/deployer", RoleSessionName="mallory"
    ),
}


def get_refusal(credentials: api.Credentials, url: str, action: str) -> str:
    """Return the refusal of the API, "" if it complies."""
    try:
        TRIES[action](lambda service: api.client(url, service, credentials))
    except ClientError as answer:
        return str(answer)
    return ""


@pytest.mark.parametrize("action", TRIES)
def test_a_host_s_credentials_are_of_no_use_elsewhere(
    engine: docker.DockerClient, action: str
) -> None:
    answer = get_refusal(role_of(engine), endpoint(engine), action)
    assert f"is not authorized to perform: {action}" in answer


def test_plain_http_is_refused_by_the_bucket(engine: docker.DockerClient) -> None:
    """The local endpoint marks what passes it as sent over TLS. What reaches the API by another way
    is not marked."""
    bucket, image, _ = artifacts(engine)
    s3 = api.client(endpoint(engine), "s3", role_of(engine))
    assert s3.head_object(Bucket=bucket, Key=image)
    s3.meta.events.unregister("before-sign.s3", api.claim_tls)
    with pytest.raises(ClientError, match="explicit deny"):
        s3.get_object(Bucket=bucket, Key=image)


# The function


def test_the_function_acts_in_its_role_and_writes_its_metrics(engine: docker.DockerClient) -> None:
    functions = aws(engine, "lambda").list_functions()["Functions"]
    (function,) = (
        candidate for candidate in functions if "healthcheck" in candidate["FunctionName"]
    )
    aws(engine, "lambda").invoke(FunctionName=function["FunctionName"])
    group = function["LoggingConfig"]["LogGroup"]
    events = aws(engine, "logs").filter_log_events(logGroupName=group)["events"]
    assert not any("metrics not written" in event["message"] for event in events), events
    metrics = aws(engine, "cloudwatch").list_metrics(Namespace="timeservice")["Metrics"]
    assert {metric["MetricName"] for metric in metrics} >= {"Healthy"}


@pytest.fixture(scope="module")
def as_function(engine: docker.DockerClient) -> Iterator[api.Credentials]:
    """Return clients of a role with the function's permissions that a test may assume: only Lambda
    assumes the function's own."""
    iam, name = aws(engine, "iam"), "as-function"
    (function,) = aws(engine, "lambda").list_functions()["Functions"]
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    own = function["Role"].split("/")[-1]
    policies = iam.list_role_policies(RoleName=own)["PolicyNames"]
    assert policies
    for policy in policies:
        content = iam.get_role_policy(RoleName=own, PolicyName=policy)["PolicyDocument"]
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(content))
    session = aws(engine, "sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    yield api.Credentials(
        session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
    )
    for policy in policies:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


@pytest.mark.parametrize("action", TRIES)
def test_the_functions_role_is_of_no_use_elsewhere(
    engine: docker.DockerClient, as_function: api.Credentials, action: str
) -> None:
    answer = get_refusal(as_function, endpoint(engine), action)
    assert f"is not authorized to perform: {action}" in answer


def test_the_functions_role_writes_its_metrics(
    engine: docker.DockerClient, as_function: api.Credentials
) -> None:
    """A role that is denied everything would pass the test above."""
    data = [{"MetricName": "Tried", "Value": 1}]
    cloudwatch = api.client(endpoint(engine), "cloudwatch", as_function)
    cloudwatch.put_metric_data(Namespace="timeservice", MetricData=data)
