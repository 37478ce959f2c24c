"""The configuration (its schema is in Pulumi.yaml), checked before anything is created."""

from __future__ import annotations

from typing import NamedTuple

import pulumi

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
    # and of the healthcheck, whose parameter is of the same form
    "permissionsBoundary": ("hosts", "PermissionsBoundary"),
    "budget": ("budget", "LimitInDollars"),
    "reviewer": ("reviewer", "Kind"),
    "reviewerAccount": ("reviewer", "TrustedAccount"),
    "reviewerExternalId": ("reviewer", "ExternalId"),
}
# With this value a part is left out, and its template is not asked.
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
        """Raises pulumi.RunError that names the key, its value and what is allowed."""
        config = pulumi.Config()
        _check_values(config)
        _check_together(config)
        _check_reviewer(config)
        return cls(
            instance_type=config.require("instanceType"),
            cpu_credits=config.require("cpuCredits"),
            min_hosts=config.require_int("minHosts"),
            max_hosts=config.require_int("maxHosts"),
            requests_per_minute=config.require_int("requestsPerMinute"),
            second_octet=config.require_int("secondOctet"),
            zone_index_a=config.require_int("zoneIndexA"),
            zone_index_b=config.require_int("zoneIndexB"),
            alert_email=config.get("alertEmail") or "",
            limit=config.require("limit"),
            ntp_servers=config.get("ntpServers") or "",
            check_every=config.require_int("checkEvery"),
            budget=config.require_int("budget"),
            permissions_boundary=config.get("permissionsBoundary") or "",
            quota_check=config.require_bool("quotaCheck"),
            protect=config.require_bool("protect"),
            reviewer=config.require("reviewer"),
            reviewer_account=config.get("reviewerAccount") or "",
            reviewer_external_id=config.get("reviewerExternalId") or "",
        )


def _check_values(config: pulumi.Config) -> None:
    """Each against the template that it goes to."""
    for key, (part, parameter) in FEEDS.items():
        value = config.get(key) or ""
        if value == LEFT_OUT.get(key):
            continue
        if complaint := read(part).complaint(parameter, value):
            raise pulumi.RunError(
                f"configuration {config.name}:{key} is {value!r}: {complaint}. "
                f"Set it with: pulumi config set {key} VALUE"
            )


def _check_together(config: pulumi.Config) -> None:
    """Those that exclude each other."""
    if config.require_int("zoneIndexA") == config.require_int("zoneIndexB"):
        raise pulumi.RunError(
            f"configuration {config.name}:zoneIndexA and {config.name}:zoneIndexB are the same zone; one that "
            "fails would take both hosts with it"
        )
    least, most = config.require_int("minHosts"), config.require_int("maxHosts")
    if most < least:
        raise pulumi.RunError(
            f"configuration {config.name}:maxHosts is {most}, which is less than {config.name}:minHosts, {least}. "
            "Set it with: pulumi config set maxHosts VALUE"
        )
    if config.require_int("budget") and not config.get("alertEmail"):
        raise pulumi.RunError(
            f"configuration {config.name}:budget is set, and nobody would be told: {config.name}:alertEmail is "
            "empty. Set it with: pulumi config set alertEmail VALUE"
        )


def _check_reviewer(config: pulumi.Config) -> None:
    """What the template itself says only when its stack, the last one, is made."""
    kind = config.require("reviewer")
    if kind == "none":
        return
    if complaint := read("reviewer").complaint("Deployment", name()):
        raise pulumi.RunError(
            f"{name()!r} is no name for a deployment with a reviewer: {complaint}"
        )
    for key in ("reviewerAccount", "reviewerExternalId"):
        if kind == "role" and not config.get(key):
            raise pulumi.RunError(
                f"configuration {config.name}:{key} is empty, and a role must be trusted to somebody. "
                f"Set it with: pulumi config set {key} VALUE"
            )
