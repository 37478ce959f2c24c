"""A listener's rules as HAProxy's lines: which requests go to the targets, and what the rest is answered."""

from __future__ import annotations

from typing import Any

from local.cloud.endpoint import pattern

Rule = dict[str, Any]
QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"'})


def routes(rules: list[Rule]) -> str:
    """One line a rule in the order of their priority; the default one, without a condition, is last."""
    return "\n".join(
        f"    {'use' if (condition := _condition(rule)) else 'default'}_backend "
        f"{_backend(number, rule)}{condition}"
        for number, rule in enumerate(rules)
    )


def fixed_responses(rules: list[Rule]) -> str:
    """A backend for each rule that answers by itself."""
    return "\n".join(
        _fixed_response(_backend(number, rule), rule["Actions"][0]["FixedResponseConfig"])
        for number, rule in enumerate(rules)
        if rule["Actions"][0]["Type"] == "fixed-response"
    )


def _fixed_response(backend: str, fixed: dict[str, str]) -> str:
    body = fixed.get("MessageBody", "").translate(QUOTED)
    return f"""backend {backend}
    http-request return status {fixed["StatusCode"]} \
content-type "{fixed.get("ContentType", "text/plain")}" string "{body}"
"""


def _backend(number: int, rule: Rule) -> str:
    return "targets" if rule["Actions"][0]["Type"] == "forward" else f"fixed{number}"


def _condition(rule: Rule) -> str:
    """An `if` for the rule's path patterns; "" for the default rule."""
    patterns: list[str] = []
    for condition in rule["Conditions"]:
        if condition["Field"] == "path-pattern":
            patterns += (condition.get("PathPatternConfig") or condition)["Values"]
    paths = " ".join(map(pattern, patterns))
    return f" if {{ path -m reg {paths} }}" if patterns else ""
