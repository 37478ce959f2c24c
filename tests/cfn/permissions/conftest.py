"""What tests of permissions share: an emulator, and the reviewers in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cfn.permissions import inside
from tests.cfn.permissions.emulator import Emulator
from tests.cfn.permissions.evaluators import Identity
from tests.cfn.permissions.reviewer import DEPLOYMENT, NAMES, TRUST


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("ministack") / "log")
    yield emulator
    emulator.stop()


@pytest.fixture(scope="session")
def reviewers(emulator: Emulator) -> dict[str, Identity]:
    """Return the reviewer of each kind, as CloudFormation makes it from the template."""
    outputs_by_kind = {
        kind: emulator.deploy(
            f"{DEPLOYMENT}-reviewer-{kind}", "reviewer", Kind=kind, **NAMES, **TRUST
        )
        for kind in ("user", "role")
    }
    # MiniStack's CloudFormation leaves out the boundary of a role, though not that of a user.
    (policy,) = emulator.client("iam").list_attached_role_policies(
        RoleName=outputs_by_kind["role"]["Name"]
    )["AttachedPolicies"]
    emulator.client("iam").put_role_permissions_boundary(
        RoleName=outputs_by_kind["role"]["Name"], PermissionsBoundary=policy["PolicyArn"]
    )
    return {kind: emulator.identity(outputs["Arn"]) for kind, outputs in outputs_by_kind.items()}


@pytest.fixture(scope="session")
def grants(emulator: Emulator) -> tuple[dict[str, Identity], str]:
    """Return the identities by the names of their tables, and the ARN of the boundary."""
    return inside.make(emulator)
