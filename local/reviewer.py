"""The reviewer in the local cloud: its password, and how it signs in."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deployment.errors import UserError

FILE = "reviewer.json"  # in the folder of the deployment


def load(folder: Path) -> dict[str, Any]:
    """Return what the last run exported of the reviewer; {} if there is none."""
    file = folder / FILE
    return dict(json.loads(file.read_text())) if file.exists() else {}


def save(folder: Path, export: Mapping[str, Any] | None) -> None:
    """Save the access in a file for the owner alone; pulumi would keep it encrypted in its
    state."""
    (folder / FILE).unlink(missing_ok=True)
    if export:
        (folder / FILE).touch(0o600, exist_ok=False)
        (folder / FILE).write_text(json.dumps(export, indent=2))


def show(folder: Path) -> int:
    export = load(folder)
    if not export:
        raise UserError('there is no reviewer; make up CONFIG="reviewer=user" makes one')
    note = "the links and the password are as on AWS, and open nothing without a real account"
    print(json.dumps({**export, "note": note}, indent=2))
    return 0


class Logins:
    """The login profiles of the program. IAM does not return passwords, so they are kept here."""

    def __init__(self, iam: Any, known: Mapping[str, Any]) -> None:
        """known: what the last run exported of the reviewer."""
        self.iam = iam
        self.known = known
        self.declared: set[str] = set()

    def bring_up(self, user: str) -> tuple[str, bool]:
        """Return the user's password, and whether it is new."""
        self.declared.add(user)
        if self._exists(user):
            if self.known.get("user") == user:
                return str(self.known["password"]), False
            # An interrupted run made this password, and nobody knows it.
            self.iam.delete_login_profile(UserName=user)
        password = secrets.token_urlsafe(18)
        self.iam.create_login_profile(UserName=user, Password=password, PasswordResetRequired=True)
        return password, True

    def delete_undeclared(self, path: str) -> None:
        """Delete the passwords of users with that path, so that IAM can delete the users."""
        for user in self.iam.list_users(PathPrefix=path)["Users"]:
            name = user["UserName"]
            if name not in self.declared and self._exists(name):
                self.iam.delete_login_profile(UserName=name)

    def _exists(self, user: str) -> bool:
        try:
            self.iam.get_login_profile(UserName=user)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return False
            raise
        return True
