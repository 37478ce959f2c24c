"""The deployment: one CloudFormation stack for each template in cfn/, outputs wired into parameters."""

import pulumi
import pulumi_aws as aws

from deployment import quota
from deployment.release import archive, release_digest
from deployment.settings import Settings
from deployment.template import read

settings = Settings.load()
image, package = archive("image"), archive("package")
name = f"{pulumi.get_project()}-{pulumi.get_stack()}"
region = aws.get_region().region
if settings.quota_check:
    quota.check(settings.instance_type)

# A release is all that its hosts are made of; a new machine image of Amazon's is a new release too.
machine_image = aws.ssm.get_parameter(name=read("hosts").default("ImageId")).value
release = release_digest(
    image.digest, read("hosts").body, settings.instance_type, settings.cpu_credits, machine_image
)


def stack(
    part: str,
    parameters: dict[str, pulumi.Input[str]],
    resource: str = "",
    protect: bool = False,
    timeout: str = "15m",
) -> aws.cloudformation.Stack:
    """Deploy cfn/<part>.yaml as the stack <name>-<resource>; `resource` is `part` unless given."""
    resource = resource or part
    return aws.cloudformation.Stack(
        resource,
        name=f"{name}-{resource}",
        template_body=read(part).body,
        parameters=parameters,
        capabilities=["CAPABILITY_IAM"] if read(part).makes_roles else [],
        # Else a failed creation leaves a stack in ROLLBACK_COMPLETE, which blocks its name.
        on_failure="DELETE",
        tags={"project": pulumi.get_project(), "deployment": name},
        opts=pulumi.ResourceOptions(
            protect=protect,
            # The provider stops waiting after 30 minutes, whatever the wait condition allows, unless told.
            custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout),
        ),
    )


def upload(resource: str, key: str, path: str) -> aws.s3.BucketObjectv2:
    return aws.s3.BucketObjectv2(resource, bucket=bucket, key=key, source=pulumi.FileAsset(path))


artifacts = stack("artifacts", {})
bucket = artifacts.outputs["Bucket"]

network = stack(
    "network",
    {
        "ArtifactsBucket": bucket,
        "S3PrefixList": aws.ec2.get_prefix_list(name=f"com.amazonaws.{region}.s3").id,
        "SecondOctet": str(settings.second_octet),
    },
    protect=settings.protect,
)

balancer = stack(
    "balancer",
    {
        "VpcId": network.outputs["VpcId"],
        "PublicSubnets": network.outputs["PublicSubnets"],
        "BalancerSecurityGroup": network.outputs["BalancerSecurityGroup"],
        "AlertEmail": settings.alert_email,
    },
    protect=settings.protect,
)

# The release is in the names of these two *resources*, so that a new release is two new resources beside the old ones,
# which are deleted at the end of an update that succeeded. As replacements of one resource, a failed release and the
# return to the one before would collide with deletions that are still pending.
archived = upload(f"image-{image.digest}", f"images/{image.digest}.tar.gz", str(image.path))
hosts = stack(
    "hosts",
    {
        "PrivateSubnets": network.outputs["PrivateSubnets"],
        "HostSecurityGroup": network.outputs["HostSecurityGroup"],
        "TargetGroup": balancer.outputs["TargetGroup"],
        "ArtifactsBucket": bucket,
        "ImageKey": archived.key,
        "Release": release,
        "InstanceType": settings.instance_type,
        "CpuCredits": settings.cpu_credits,
    },
    resource=f"hosts-{release}",
    timeout="45m",
)

packaged = upload(
    f"package-{package.digest}", f"healthcheck/{package.digest}.zip", str(package.path)
)
healthcheck = stack(
    "healthcheck",
    {
        "Url": balancer.outputs["Url"],
        "AlertTopic": balancer.outputs["AlertTopic"],
        "ArtifactsBucket": bucket,
        "PackageKey": packaged.key,
    },
)

pulumi.export("url", balancer.outputs["Url"])
pulumi.export("release", release)
pulumi.export("group", hosts.outputs["Group"])
pulumi.export("function", healthcheck.outputs["Function"])
pulumi.export("alarm", healthcheck.outputs["Alarm"])
pulumi.export("dashboard", balancer.outputs["Dashboard"])
