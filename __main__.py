"""The deployment: one CloudFormation stack for each template in cfn/, outputs wired into parameters."""

import pulumi
import pulumi_aws as aws

from deployment.inputs import Inputs
from deployment.release import release_digest
from deployment.reviewer import access
from deployment.stacks import name, stack, upload
from deployment.template import read

# What could not work is refused here, before anything is made.
settings, image, package, image_parameter = Inputs.load()

# A release is all that its hosts are made of, and how many they may be, as their stack is never updated. A new machine
# image of Amazon's is a new release too. (The template looks the image up again when the stack is made: should a newer
# one appear between, the next update is a new release.)
machine_image = aws.ssm.get_parameter(name=image_parameter).value
size = {
    "MinHosts": str(settings.min_hosts),
    "MaxHosts": str(settings.max_hosts),
    "RequestsPerMinute": str(settings.requests_per_minute),
}
release = release_digest(
    image.digest,
    read("hosts").body,
    settings.instance_type,
    settings.cpu_credits,
    settings.permissions_boundary,
    *size.values(),
    machine_image,
)

if settings.budget:
    stack("budget", {"Email": settings.alert_email, "LimitInDollars": str(settings.budget)})

artifacts = stack("artifacts", {})
bucket = artifacts.outputs["Bucket"]

network = stack(
    "network",
    {
        "ArtifactsBucket": bucket,
        "S3PrefixList": aws.ec2.get_prefix_list(
            name=f"com.amazonaws.{aws.get_region().region}.s3"
        ).id,
        "SecondOctet": str(settings.second_octet),
        "ZoneIndexA": str(settings.zone_index_a),
        "ZoneIndexB": str(settings.zone_index_b),
    },
    protect=settings.protect,
    # Balancer and hosts stand in these, and would be left behind in what was replaced.
    never_replaced=["Vpc", "*Subnet*", "*SecurityGroup"],
)

balancer = stack(
    "balancer",
    {
        "VpcId": network.outputs["VpcId"],
        "PublicSubnets": network.outputs["PublicSubnets"],
        "BalancerSecurityGroup": network.outputs["BalancerSecurityGroup"],
        "AlertEmail": settings.alert_email,
        "MinHosts": size["MinHosts"],
    },
    protect=settings.protect,
)

# The release is in the names of these two *resources*, so that a new release is two new resources beside the old ones,
# which are deleted at the end of an update that succeeded. As replacements of one resource, a failed release and the
# return to the one before would collide with deletions that are still pending.
archived = upload("image", image, bucket, f"images/{image.digest}.tar.gz")
hosts = stack(
    "hosts",
    {
        "PrivateSubnets": network.outputs["PrivateSubnets"],
        "HostSecurityGroup": network.outputs["HostSecurityGroup"],
        "TargetGroup": balancer.outputs["TargetGroup"],
        "LoadBalancer": balancer.outputs["LoadBalancer"],
        "ArtifactsBucket": bucket,
        "ImageKey": archived.key,
        "Release": release,
        "InstanceType": settings.instance_type,
        "CpuCredits": settings.cpu_credits,
        "PermissionsBoundary": settings.permissions_boundary,
        **size,
    },
    variant=release,
    minutes=45,  # a slow boot (the wait condition's 25), and what is rolled back after it
)

packaged = upload("package", package, bucket, f"healthcheck/{package.digest}.zip")
healthcheck = stack(
    "healthcheck",
    {
        "Url": balancer.outputs["Url"],
        "AlertTopic": balancer.outputs["AlertTopic"],
        "ArtifactsBucket": bucket,
        "LoadBalancer": balancer.outputs["LoadBalancer"],
        "TargetGroup": balancer.outputs["TargetGroup"],
        "Alarms": balancer.outputs["Alarms"],
        "PackageKey": packaged.key,
        "Limit": settings.limit,
        "NtpServers": settings.ntp_servers,
        "EveryMinutes": str(settings.check_every),
        "PermissionsBoundary": settings.permissions_boundary,
    },
    after=hosts,  # else it would fail its checks while the first hosts boot, and while the last ones go
)

pulumi.export("url", balancer.outputs["Url"])
pulumi.export("release", release)
pulumi.export("group", hosts.outputs["Group"])
pulumi.export("function", healthcheck.outputs["Function"])
pulumi.export("alarm", healthcheck.outputs["Alarm"])
pulumi.export("dashboard", healthcheck.outputs["Dashboard"])

# Made last, so that it is told of a release only when its hosts stand (the template says why), and deleted first.
if settings.reviewer != "none":
    reviewer = stack(
        "reviewer",
        {
            "Kind": settings.reviewer,
            "TrustedAccount": settings.reviewer_account,
            "ExternalId": settings.reviewer_external_id,
            "Deployment": name(),
            "Release": hosts.outputs["Release"],
            "ArtifactsBucket": bucket,
            "LogGroup": healthcheck.outputs["LogGroup"],
            "Function": healthcheck.outputs["Function"],
            "Dashboard": healthcheck.outputs["Dashboard"],
        },
        variant=settings.reviewer,
    )
    seen = [artifacts, network, balancer, hosts, healthcheck, reviewer]
    pulumi.export("reviewer", access(settings, reviewer, seen, healthcheck.outputs["Dashboard"]))
