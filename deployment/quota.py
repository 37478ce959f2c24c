"""The account's vCPU quota, looked at before a release instead of found out half-way through it.

An Auto Scaling group that hits the quota just fails to add hosts; the release would time out without a word.
"""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

QUOTA = "L-1216C47A"  # Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances
VCPUS = {"t3.micro": 2, "t3.small": 2}
HOSTS = 4  # for a moment, the old and the new pair


def check(instance_type: str) -> None:
    """Raises pulumi.RunError when the quota is too small; warns when it cannot be read."""
    needed = HOSTS * VCPUS[instance_type]
    try:
        allowed = aws.servicequotas.get_service_quota(service_code="ec2", quota_code=QUOTA).value
    except Exception as refused:  # no permission to ask, or an API without quotas
        pulumi.log.warn(f"the vCPU quota could not be read ({refused}); a release needs {needed}")
        return
    if allowed < needed:
        raise pulumi.RunError(
            f"a release needs {needed} vCPUs for some minutes (old and new pair), and this account may run "
            f"{allowed:g}. Ask for more: aws service-quotas request-service-quota-increase --service-code ec2 "
            f"--quota-code {QUOTA} --desired-value {needed}. For a first deployment alone, which needs half: "
            "pulumi config set quotaCheck false"
        )
