"""Errors that a person can put right.

Each front door prints the text. Where a setting is at fault, it adds the command of its own that sets it.
"""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """Report what is wrong, where, and what to do about it."""


class SettingError(UserError):
    """Refuse the value of a setting.

    key: the name in Pulumi.yaml. value: what was given. complaint: what is wrong with it, in words, without a final
    stop. together: all keys that must be set at once to put it right; `key` alone by default.
    """

    def __init__(
        self, key: str, value: object, complaint: str, together: Sequence[str] = ()
    ) -> None:
        super().__init__(f"the setting {key} is {value!r}: {complaint}")
        self.key = key
        self.value = value
        self.complaint = complaint
        self.together = tuple(together) or (key,)
