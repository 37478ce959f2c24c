"""Check the account's vCPU quota before a release.

An Auto Scaling group at the quota adds no hosts and raises no error: the release would time out.
"""

import pulumi
import pulumi_aws as aws

from deployment.errors import UserError

QUOTA = "L-1216C47A"  # Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances
VCPUS = {"t3.micro": 2, "t3.small": 2, "t4g.micro": 2, "t4g.small": 2}


def check(instance_type: str, min_hosts: int, max_hosts: int) -> None:
    """Raise UserError if the quota is too small; warn if it cannot be read.

    During a release, up to max_hosts old hosts run beside min_hosts new ones. The old hosts are
    assumed to have the present settings.
    """
    first = min_hosts * VCPUS[instance_type]
    needed = first + max_hosts * VCPUS[instance_type]
    try:
        allowed = aws.servicequotas.get_service_quota(service_code="ec2", quota_code=QUOTA).value
    except Exception as error:  # the caller may not ask, or the API has no quotas
        pulumi.log.warn(f"the vCPU quota could not be read ({error}); a release needs {needed}")
        return
    if allowed < needed:
        raise UserError(
            f"a release needs {needed} vCPUs for some minutes ({max_hosts} old and {min_hosts} new "
            f"hosts), and this account may run {allowed:g}. Ask for more: aws service-quotas "
            f"request-service-quota-increase --service-code ec2 --quota-code {QUOTA} "
            f"--desired-value {needed}. A first deployment needs {first} alone: for that, set "
            "quotaCheck to false"
        )
