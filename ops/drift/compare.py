"""Compares what should be with what is: properties as a template has them, with what an API told in the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

# Documents, in which something more is something else; elsewhere an API tells more than a template says.
EXACT = ("PolicyDocument", "AssumeRolePolicyDocument", "DashboardBody")
NOTHING = "nothing"


class Difference(NamedTuple):
    """path: with slashes, from the property down. One side may be NOTHING: added by hand, or removed."""

    path: str
    expected: Any
    actual: Any


def differences(
    expected: Any, actual: Any, path: str = "", exact: bool = False
) -> Iterator[Difference]:
    """Lists are compared without regard to order, as almost all of them have none; and scalars as what they say."""
    exact = exact or path.rpartition("/")[2] in EXACT
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in dict.fromkeys([*expected, *(actual if exact else ())]):
            one, other = expected.get(key, NOTHING), actual.get(key, NOTHING)
            yield from differences(one, other, f"{path}/{key}", exact)
    elif NOTHING in (expected, actual) and expected != actual:
        yield Difference(path, expected, actual)
    elif isinstance(expected, list) or isinstance(actual, list):
        yield from _of_lists(_listed(expected), _listed(actual), path, exact)
    elif not _same(expected, actual):
        yield Difference(path, expected, actual)


def _of_lists(
    expected: list[Any], actual: list[Any], path: str, exact: bool
) -> Iterator[Difference]:
    missing, added = [], list(actual)
    for one in expected:
        match = next((each for each in added if not any(differences(one, each, "", exact))), None)
        if match is None:
            missing.append(one)
        else:
            added.remove(match)
    if len(missing) == len(added) == 1:  # one that was changed
        yield from differences(missing[0], added[0], path, exact)
        return
    for one in missing:
        yield Difference(path, one, NOTHING)
    for one in added:
        yield Difference(path, NOTHING, one)


def _listed(value: Any) -> list[Any]:
    """A policy may have one action, or a list of them."""
    return value if isinstance(value, list) else [value]


def _same(expected: Any, actual: Any) -> bool:
    if _text(expected) == _text(actual):
        return True
    try:
        return float(expected) == float(actual)  # 0 is 0.0, and "2" is 2
    except (TypeError, ValueError):
        return False


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
