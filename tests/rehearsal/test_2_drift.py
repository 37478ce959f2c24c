"""What is changed by hand in the deployment is told, until it is undone."""

from __future__ import annotations

from typing import Any

import docker
import pytest

from drills.clone import Clone
from tests.rehearsal.cloud import aws

pytestmark = pytest.mark.rehearsal

ANYTHING: list[dict[str, Any]] = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


def test_what_is_changed_by_hand_or_in_this_clone_alone_is_told_until_it_is_undone(
    clone: Clone, engine: docker.DockerClient
) -> None:
    ec2 = aws(engine, "ec2")
    groups = ec2.describe_security_groups()["SecurityGroups"]
    (hosts,) = (group["GroupId"] for group in groups if group["Description"].startswith("Hosts: "))
    ec2.authorize_security_group_egress(GroupId=hosts, IpPermissions=ANYTHING)
    clone.replace("cfn/balancer.yaml", "Values: [/, /now]", "Values: [/, /now, /new]")
    done = clone.make("drift")
    ec2.revoke_security_group_egress(GroupId=hosts, IpPermissions=ANYTHING)
    clone.replace("cfn/balancer.yaml", "Values: [/, /now, /new]", "Values: [/, /now]")
    assert done.status != 0
    assert "timeservice-local-network HostSecurityGroup SecurityGroupEgress" in done.output
    assert '"CidrIp": "0.0.0.0/0"' in done.output
    assert "timeservice-local-balancer the stack (template)/Resources/ServiceRule/" in done.output
    assert "should be  /new\n    is         nothing" in done.output
    assert "\n2 differences." in done.output
    done = clone.make("drift")
    assert done.status == 0
    assert "No differences." in done.output
