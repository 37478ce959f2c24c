"""Errors that a person can put right.

Each front door prints the text. Where a setting is at fault, it adds its own command that sets it.
"""

from __future__ import annotations

from collections.abc import Mapping


class UserError(Exception):
    """Report what is wrong, where, and what to do about it."""


class SettingError(UserError):
    """Refuse the value of a setting.

    key: the name in Pulumi.yaml. value: what was given. complaint: what is wrong with the value, in
    words, without a final stop. together: all settings to set at once to put it right, with values
    that work or, in capitals, what a value is; `key` alone by default.
    """

    def __init__(
        self, key: str, value: object, complaint: str, together: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"the setting {key} is {str(value)!r}: {complaint}")
        self.key = key
        self.value = value
        self.complaint = complaint
        self.together = dict(together or {key: "VALUE"})


class UnknownSettingError(UserError):
    """Refuse a key that Pulumi.yaml does not declare."""

    def __init__(self, key: str, declared: Mapping[str, object]) -> None:
        known = ", ".join(declared)
        super().__init__(f"there is no setting {key!r}; those in Pulumi.yaml are: {known}")
        self.key = key
