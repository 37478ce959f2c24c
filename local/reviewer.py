"""The reviewer in the local cloud: its password, and how it signs in."""

import json
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from deployment.errors import UserError

# In the folder of the deployment.
FILE = "reviewer.json"


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


def make_password(iam: Any, user: str, known: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the user's password, and whether it is new. IAM does not return passwords.

    known: what the last run exported of the reviewer.
    """
    login = {"UserName": user, "Password": secrets.token_urlsafe(18), "PasswordResetRequired": True}
    try:
        iam.create_login_profile(**login)
    except iam.exceptions.EntityAlreadyExistsException:
        if known.get("user") == user:
            return str(known["password"]), False
        # An interrupted run made this password, and nobody knows it.
        iam.update_login_profile(**login)
    return str(login["Password"]), True


def delete_passwords(iam: Any, deployment: str, kept: Collection[str] = ()) -> None:
    """Delete the passwords of all other users of the deployment, so that IAM can delete these."""
    for user in iam.list_users(PathPrefix=f"/{deployment}-")["Users"]:
        if user["UserName"] not in kept:
            with suppress(iam.exceptions.NoSuchEntityException):
                iam.delete_login_profile(UserName=user["UserName"])
