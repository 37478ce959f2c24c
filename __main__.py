"""The deployment: a CloudFormation stack of each template in cfn/, outputs fed into parameters."""

import pulumi
import pulumi_aws as aws

from deployment.inputs import load_inputs
from deployment.release import get_commit, release_digest
from deployment.reviewer import describe_access
from deployment.stacks import deploy_stack, get_deployment_name, upload
from deployment.template import read_template

# Inputs that cannot work are refused here, before anything is made.
settings, image, package = load_inputs()

# The stack of the hosts is never updated. So a release covers all that makes a host, and the
# numbers of hosts. A new machine image of Amazon's is a new release too. The template reads the
# image's id again when the stack is made. If a newer image appears in between, the next update is a
# new release.
machine_image = aws.ssm.get_parameter(name=settings.machine_image).value
size = {
    "MinHosts": str(settings.min_hosts),
    "MaxHosts": str(settings.max_hosts),
    "RequestsPerMinute": str(settings.requests_per_minute),
}
release = release_digest(
    image.digest,
    read_template("hosts").body,
    settings.instance_type,
    settings.cpu_credits,
    settings.permissions_boundary,
    *size.values(),
    machine_image,
)

if settings.budget:
    deploy_stack("budget", {"Email": settings.alert_email, "LimitInDollars": str(settings.budget)})

artifacts = deploy_stack("artifacts", {})
bucket = artifacts.output("Bucket")

network = deploy_stack(
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
    # Balancer and hosts are inside these resources. A replacement of one would leave them behind.
    never_replaced=["Vpc", "*Subnet*", "*SecurityGroup"],
)

balancer = deploy_stack(
    "balancer",
    {
        "VpcId": network.output("VpcId"),
        "PublicSubnets": network.output("PublicSubnets"),
        "BalancerSecurityGroup": network.output("BalancerSecurityGroup"),
        "AlertEmail": settings.alert_email,
        "MinHosts": size["MinHosts"],
    },
    protect=settings.protect,
)

# The release is in the names of the next two *resources*. So a new release is two new resources,
# and the old ones are deleted at the end of a successful update. If one resource were replaced, a
# failed release, and the return to the one before it, would collide with pending deletions.
archived = upload("image", image, bucket, f"images/{image.digest}.tar.gz")
hosts = deploy_stack(
    "hosts",
    {
        "PrivateSubnets": network.output("PrivateSubnets"),
        "HostSecurityGroup": network.output("HostSecurityGroup"),
        "TargetGroup": balancer.output("TargetGroup"),
        "LoadBalancer": balancer.output("LoadBalancer"),
        "ArtifactsBucket": bucket,
        "ImageKey": archived.key,
        "ImageId": settings.machine_image,
        "Release": release,
        "InstanceType": settings.instance_type,
        "CpuCredits": settings.cpu_credits,
        "PermissionsBoundary": settings.permissions_boundary,
        **size,
    },
    variant=release,
    commit=get_commit(),
    minutes=40,  # 35 for the wait condition, and 5 for the group
)

commit = hosts.tags.apply(lambda tags: (tags or {}).get("commit", "unknown"))

url = settings.public_url or balancer.output("Url")
packaged = upload("package", package, bucket, f"healthcheck/{package.digest}.zip")
healthcheck = deploy_stack(
    "healthcheck",
    {
        "Url": url,
        "AlertTopic": balancer.output("AlertTopic"),
        "ArtifactsBucket": bucket,
        "LoadBalancer": balancer.output("LoadBalancer"),
        "TargetGroup": balancer.output("TargetGroup"),
        "Alarms": balancer.output("Alarms"),
        "Release": pulumi.Output.concat(release, ", commit ", commit),
        "PackageKey": packaged.key,
        "Limit": settings.limit,
        "MinHosts": size["MinHosts"],
        "NtpServers": settings.ntp_servers,
        "EveryMinutes": str(settings.check_every),
        "PermissionsBoundary": settings.permissions_boundary,
    },
    # Made after the hosts and deleted before them, because its checks would fail without hosts.
    after=hosts,
)

pulumi.export("url", url)
pulumi.export("release", release)
pulumi.export("commit", commit)
pulumi.export("group", hosts.output("Group"))
pulumi.export("function", healthcheck.output("Function"))
pulumi.export("alarm", healthcheck.output("Alarm"))
pulumi.export("dashboard", healthcheck.output("Dashboard"))

# Made last and deleted first, so that the reviewer sees a release only when its hosts serve. The
# template has the reason.
if settings.reviewer != "none":
    reviewer = deploy_stack(
        "reviewer",
        {
            "Kind": settings.reviewer,
            "TrustedAccount": settings.reviewer_account,
            "ExternalId": settings.reviewer_external_id,
            "Deployment": get_deployment_name(),
            "Release": hosts.output("Release"),
            "ArtifactsBucket": bucket,
            "LogGroup": healthcheck.output("LogGroup"),
            "Function": healthcheck.output("Function"),
            "Dashboard": healthcheck.output("Dashboard"),
        },
        variant=settings.reviewer,
    )
    visible = [artifacts, network, balancer, hosts, healthcheck, reviewer]
    dashboard = healthcheck.output("Dashboard")
    pulumi.export("reviewer", describe_access(settings, reviewer, visible, dashboard))
