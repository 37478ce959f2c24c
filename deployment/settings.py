"""The settings (Pulumi.yaml declares them), checked before anything is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pulumi
import yaml
from pulumi.runtime.config import CONFIG, get_config_env

from deployment import ROOT
from deployment.errors import SettingError, UnknownSettingError, UserError
from deployment.stacks import name
from deployment.template import read

# Configuration key -> the template parameter that it feeds, and whose constraints it must meet.
FEEDS = {
    "instanceType": ("hosts", "InstanceType"),
    "cpuCredits": ("hosts", "CpuCredits"),
    "minHosts": ("hosts", "MinHosts"),
    "maxHosts": ("hosts", "MaxHosts"),
    "requestsPerMinute": ("hosts", "RequestsPerMinute"),
    "secondOctet": ("network", "SecondOctet"),
    "zoneIndexA": ("network", "ZoneIndexA"),
    "zoneIndexB": ("network", "ZoneIndexB"),
    "alertEmail": ("balancer", "AlertEmail"),
    "limit": ("healthcheck", "Limit"),
    "ntpServers": ("healthcheck", "NtpServers"),
    "checkEvery": ("healthcheck", "EveryMinutes"),
    # The healthcheck has a parameter of the same form.
    "permissionsBoundary": ("hosts", "PermissionsBoundary"),
    "budget": ("budget", "LimitInDollars"),
    "reviewer": ("reviewer", "Kind"),
    "reviewerAccount": ("reviewer", "TrustedAccount"),
    "reviewerExternalId": ("reviewer", "ExternalId"),
}
# With this value a part is left out, and the constraints of its template do not apply.
LEFT_OUT = {"budget": "0", "reviewer": "none"}


class Settings(NamedTuple):
    instance_type: str
    cpu_credits: str
    min_hosts: int
    max_hosts: int
    requests_per_minute: int  # for each host
    second_octet: int
    zone_index_a: int
    zone_index_b: int
    alert_email: str
    limit: str
    ntp_servers: str
    check_every: int
    budget: int  # US dollars a month; 0: none
    permissions_boundary: str
    quota_check: bool
    protect: bool
    reviewer: str  # user, role or none
    reviewer_account: str
    reviewer_external_id: str

    @classmethod
    def load(cls) -> Settings:
        """Return the settings of the Pulumi stack. Raises UserError."""
        values = _read_values()
        _check_values(values)
        _check_zones(values)
        _check_sizes(values)
        _check_budget(values)
        _check_reviewer(values)
        return cls(
            instance_type=values["instanceType"],
            cpu_credits=values["cpuCredits"],
            min_hosts=int(values["minHosts"]),
            max_hosts=int(values["maxHosts"]),
            requests_per_minute=int(values["requestsPerMinute"]),
            second_octet=int(values["secondOctet"]),
            zone_index_a=int(values["zoneIndexA"]),
            zone_index_b=int(values["zoneIndexB"]),
            alert_email=values["alertEmail"],
            limit=values["limit"],
            ntp_servers=values["ntpServers"],
            check_every=int(values["checkEvery"]),
            budget=int(values["budget"]),
            permissions_boundary=values["permissionsBoundary"],
            quota_check=values["quotaCheck"] == "true",
            protect=values["protect"] == "true",
            reviewer=values["reviewer"],
            reviewer_account=values["reviewerAccount"],
            reviewer_external_id=values["reviewerExternalId"],
        )


def declared() -> dict[str, Any]:
    """Return the settings that Pulumi.yaml declares, by their keys."""
    settings: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    return settings


def _read_values() -> dict[str, str]:
    """Return the value of each declared setting. Raises UnknownSettingError."""
    config, known = pulumi.Config(), declared()
    # pulumi.Config gets what it is asked for by key, and lists nothing.
    for key in {**get_config_env(), **CONFIG.get()}:
        namespace, _, setting = key.rpartition(":")
        if namespace == config.name and setting not in known:
            raise UnknownSettingError(setting, known)
    return {key: config.get(key) or "" for key in known}


def _check_values(values: Mapping[str, str]) -> None:
    """Check each value by itself: by the template that gets it, or as true or false."""
    for key in ("quotaCheck", "protect"):
        if values[key] not in ("true", "false"):
            raise SettingError(key, values[key], "must be true or false")
    for key, (part, parameter) in FEEDS.items():
        value, left_out = values[key], LEFT_OUT.get(key)
        if value == left_out:
            continue
        if complaint := read(part).complaint(parameter, value):
            if left_out is not None:
                complaint += f", or {left_out}"
            raise SettingError(key, value, complaint)


def _check_zones(values: Mapping[str, str]) -> None:
    zone_a, zone_b = values["zoneIndexA"], values["zoneIndexB"]
    if int(zone_a) == int(zone_b):
        raise SettingError(
            "zoneIndexB",
            zone_b,
            "must differ from zoneIndexA, because a zone that fails would take both hosts with it",
            {"zoneIndexA": zone_a, "zoneIndexB": "1" if int(zone_a) == 0 else "0"},
        )


def _check_sizes(values: Mapping[str, str]) -> None:
    least, most = values["minHosts"], values["maxHosts"]
    if int(most) < int(least):
        raise SettingError(
            "maxHosts",
            most,
            f"must be at least minHosts, which is {least}",
            {"minHosts": least, "maxHosts": least},
        )


def _check_budget(values: Mapping[str, str]) -> None:
    if int(values["budget"]) and not values["alertEmail"]:
        raise SettingError(
            "alertEmail",
            "",
            f"must be set, because budget is {values['budget']} and AWS mails it there",
            {"budget": values["budget"], "alertEmail": "ADDRESS"},
        )


def _check_reviewer(values: Mapping[str, str]) -> None:
    """Check what CloudFormation would refuse late: the reviewer's stack is made last."""
    if values["reviewer"] == "none":
        return
    if complaint := read("reviewer").complaint("Deployment", name()):
        raise UserError(f"{name()!r} is no name for a deployment with a reviewer: {complaint}")
    if values["reviewer"] != "role":
        return
    for key in ("reviewerAccount", "reviewerExternalId"):
        if not values[key]:
            raise SettingError(
                key,
                "",
                "must be set, because reviewer is role and a role trusts one account",
                {
                    "reviewer": "role",
                    "reviewerAccount": values["reviewerAccount"] or "ACCOUNT",
                    "reviewerExternalId": values["reviewerExternalId"] or "WORD",
                },
            )
