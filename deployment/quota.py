"""The account's vCPU quota, looked at before a release instead of found out half-way through it.

An Auto Scaling group that hits the quota just fails to add hosts; the release would time out without a word.
"""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from deployment.errors import UserError

QUOTA = "L-1216C47A"  # Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances
VCPUS = {"t3.micro": 2, "t3.small": 2}


def check(instance_type: str, min_hosts: int, max_hosts: int) -> None:
    """Raises UserError when the quota is too small; warns when it cannot be read.

    For a moment, the old hosts, which may have grown to their maximum, stand beside as many new ones as a release
    starts with. The old ones are taken to be of the same settings: what they really are is not asked for.
    """
    first = min_hosts * VCPUS[instance_type]
    needed = first + max_hosts * VCPUS[instance_type]
    try:
        allowed = aws.servicequotas.get_service_quota(service_code="ec2", quota_code=QUOTA).value
    except Exception as refused:  # no permission to ask, or an API without quotas
        pulumi.log.warn(f"the vCPU quota could not be read ({refused}); a release needs {needed}")
        return
    if allowed < needed:
        raise UserError(
            f"a release needs {needed} vCPUs for some minutes ({max_hosts} old and {min_hosts} new hosts), and this "
            f"account may run {allowed:g}. Ask for more: aws service-quotas request-service-quota-increase "
            f"--service-code ec2 --quota-code {QUOTA} --desired-value {needed}. A first deployment "
            f"needs {first} alone: for that, set quotaCheck to false"
        )
