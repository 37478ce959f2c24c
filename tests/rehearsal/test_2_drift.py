"""A change of the deployment by hand, or of this clone alone, is found until it is undone."""

from __future__ import annotations

import docker
import pytest

from drills.clone import Clone
from tests.rehearsal.cloud import aws

pytestmark = pytest.mark.rehearsal


def test_what_is_changed_by_hand_or_in_this_clone_alone_is_found_until_it_is_undone(
    clone: Clone, engine: docker.DockerClient
) -> None:
    logs = aws(engine, "logs")
    groups = logs.describe_log_groups()["logGroups"]
    (name,) = (
        group["logGroupName"]
        for group in groups
        if "timeservice-local-healthcheck" in group["logGroupName"]
    )
    logs.put_retention_policy(logGroupName=name, retentionInDays=1)
    clone.replace("cfn/balancer.yaml", "Values: [/, /now]", "Values: [/, /now, /new]")
    changed = clone.make("drift")
    logs.put_retention_policy(logGroupName=name, retentionInDays=14)
    clone.replace("cfn/balancer.yaml", "Values: [/, /now, /new]", "Values: [/, /now]")
    assert changed.status != 0
    retention = "timeservice-local-healthcheck LogGroup RetentionInDays"
    assert f"{retention}\n    should be  14\n    is         1\n" in changed.output
    assert "timeservice-local-balancer template/Resources/ServiceRule/" in changed.output
    paths = [line for line in changed.output.splitlines() if '"path-pattern"' in line]
    assert [line.split()[0] for line in paths] == ["should", "is"]
    assert '["/", "/now", "/new"]' in paths[0]
    assert '["/", "/now"]' in paths[1]
    assert "\n2 differences." in changed.output
    assert "not checked: most changes by hand in the local cloud" in changed.output
    undone = clone.make("drift")
    assert undone.status == 0
    assert "No differences." in undone.output
