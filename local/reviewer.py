"""The reviewer in the local cloud: its password, and how it signs in."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deployment.errors import UserError

FILE = "reviewer.json"  # in the folder of the deployment


def remembered(folder: Path) -> dict[str, Any]:
    """What was told of the reviewer at last; {} if there is none."""
    try:
        told: dict[str, Any] = json.loads((folder / FILE).read_text())
        return told
    except FileNotFoundError:
        return {}


def remember(folder: Path, told: Mapping[str, Any] | None) -> None:
    """Keep it where its owner alone can read it: the pulumi CLI keeps it encrypted in its state."""
    (folder / FILE).unlink(missing_ok=True)
    if told:
        file = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as writing:
            json.dump(told, writing, indent=2)


def show(folder: Path) -> int:
    told = remembered(folder)
    if not told:
        raise UserError('there is no reviewer; make up CONFIG="reviewer=user" makes one')
    print(json.dumps(told, indent=2))
    return 0


class Logins:
    """The program's login profiles. Who made one knows its password, and nobody else: IAM does not tell."""

    def __init__(self, iam: Any, known: Mapping[str, Any]) -> None:
        """known: what the run before told of the reviewer."""
        self.iam = iam
        self.known = known
        self.declared: set[str] = set()

    def bring_up(self, user: str) -> tuple[str, bool]:
        """The user's password, and whether it was made just now."""
        self.declared.add(user)
        if self._exists(user):
            if self.known.get("user") == user:
                return str(self.known["password"]), False
            self.iam.delete_login_profile(UserName=user)  # of a run that was cut off
        password = secrets.token_urlsafe(18)
        self.iam.create_login_profile(UserName=user, Password=password, PasswordResetRequired=True)
        return password, True

    def delete_undeclared(self, path: str) -> None:
        """Before their users, which IAM deletes only without; of users whose path begins so."""
        for user in self.iam.list_users(PathPrefix=path)["Users"]:
            name = user["UserName"]
            if name not in self.declared and self._exists(name):
                self.iam.delete_login_profile(UserName=name)

    def _exists(self, user: str) -> bool:
        try:
            self.iam.get_login_profile(UserName=user)
        except ClientError as refused:
            if refused.response["Error"]["Code"] == "NoSuchEntity":
                return False
            raise
        return True
