"""What the local cloud's emulator (MiniStack 1.5.33) tells otherwise than AWS: of that, nothing can be said there."""

from __future__ import annotations

from ops.drift.compare import NOTHING
from ops.drift.findings import GONE, Drift

# By the type, paths of what it does not keep; "" for a resource of which it keeps nothing.
NOT_KEPT = {
    "AWS::S3::Bucket": ("/LifecycleConfiguration",),
    "AWS::EC2::LaunchTemplate": (
        "/LaunchTemplateData/CreditSpecification",
        "/LaunchTemplateData/NetworkInterfaces/DeleteOnTermination",
    ),
    "AWS::Lambda::EventInvokeConfig": ("",),
    "AWS::IAM::Role": ("/PermissionsBoundary",),  # of a user it does
}
# Its CloudFormation leaves `targetgroup/` out of what CloudWatch calls a target group.
SHORT_NAME = ("targetgroup/", "")


def excused(drift: Drift, kind: str) -> bool:
    """Whether a difference may be the emulator's own: it is gone, or was never there."""
    path, _, actual = drift.difference
    if actual != NOTHING and drift.difference != GONE:
        return False
    return any(
        path.startswith(one) if one else drift.difference == GONE for one in NOT_KEPT.get(kind, ())
    )
