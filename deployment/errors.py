"""Errors that a person can put right.

Each command prints the text. If a setting is wrong, the command adds how to set it.
"""

import difflib
from collections.abc import Iterable, Mapping


class UserError(Exception):
    """Report what is wrong, where, and what to do about it."""


class SettingError(UserError):
    """Refuse the value of a setting.

    key: the name in Pulumi.yaml. value: what was given. complaint: what is wrong with the value, in
    words, without a final stop. together: the settings that must be set at once, each with a value
    that works, or with a word in capitals for the value; by default `key` alone.
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
    """Refuse a key that is none of those declared in Pulumi.yaml."""

    def __init__(self, key: str, declared: Iterable[str]) -> None:
        known = {name.lower(): name for name in declared}
        near = difflib.get_close_matches(key.lower(), known, 1)
        remedy = f"those in Pulumi.yaml are: {', '.join(known.values())}"
        if near:
            remedy = f"did you mean {known[near[0]]}?"
        super().__init__(f"there is no setting {key!r}; {remedy}")
        self.key = key


def format_for_pulumi(error: UserError) -> str:
    """Return the text of the error, with the command of Pulumi's that puts a setting right."""
    if isinstance(error, SettingError):
        commands = [f"pulumi config set {key} {value}" for key, value in error.together.items()]
        return f"{error}. Run: {' && '.join(commands)}"
    if isinstance(error, UnknownSettingError):
        return f"{error}\nRun: pulumi config rm {error.key}"
    return str(error)
