"""What needs no network: what resource policies and ACLs let everyone do through AWS's own API."""

from __future__ import annotations

from typing import Any

from ops.reach.ingress import Ingress
from ops.reach.state import State

EVERYONE = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",  # whoever has an account of AWS
)


def ingress(state: State) -> list[Ingress]:
    found = []
    for function in state.functions:
        name = f"function {function['FunctionName']}"
        found += [
            Ingress(name, "API", f"URL, authorization {url['AuthType']}", url["FunctionUrl"])
            for url in function["Urls"]
        ]
        found += _allowed(name, function["Policy"])
    for topic in state.topics:
        found += _allowed(f"topic {topic['TopicArn'].split(':')[-1]}", topic["Policy"])
    for bucket in state.buckets:
        name, block = f"bucket {bucket['Name']}", bucket["Block"]
        if not block.get("RestrictPublicBuckets"):
            found += _allowed(name, bucket["Policy"])
        if not block.get("IgnorePublicAcls"):
            found += [
                Ingress(name, "API", one["Permission"], f"ACL: {one['Grantee']['URI']}")
                for one in bucket["Grants"]
                if one["Grantee"].get("URI") in EVERYONE
            ]
    return found


def _allowed(name: str, policy: dict[str, Any] | None) -> list[Ingress]:
    """One for each statement that is for everyone, whatever its conditions are: nothing here needs one."""
    return [
        Ingress(
            name, "API", " ".join(listed(one.get("Action", "?"))), f"policy, {one.get('Sid', '')}"
        )
        for one in listed((policy or {}).get("Statement", []))
        if one["Effect"] == "Allow" and _everyone(one)
    ]


def _everyone(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal", {})
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    return "NotPrincipal" in statement or "*" in listed(named)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
