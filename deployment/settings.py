"""The settings (Pulumi.yaml declares them), checked before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pulumi
import yaml
from pulumi.runtime.config import CONFIG, get_config_env

from deployment import ROOT
from deployment.errors import SettingError, UnknownSettingError, UserError
from deployment.ownership import parameters_of
from deployment.stacks import get_deployment_name
from deployment.template import read_template

# Each setting feeds a parameter of a template, and must meet the constraints of that parameter.
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
    "publicUrl": ("healthcheck", "Url"),
    # The template of the healthcheck has the same parameter.
    "permissionsBoundary": ("hosts", "PermissionsBoundary"),
    "budget": ("budget", "LimitInDollars"),
    "reviewer": ("reviewer", "Kind"),
    "reviewerAccount": ("reviewer", "TrustedAccount"),
    "reviewerExternalId": ("reviewer", "ExternalId"),
}
# With this value a part or a URL is left out, and the constraints of its template do not apply.
LEFT_OUT = {"budget": "0", "reviewer": "none", "publicUrl": ""}
# These settings place the network, which cannot move while anything is in it.
FIXED = ("secondOctet", "zoneIndexA", "zoneIndexB")
# What AWS allows in names of stacks, the longest of which ends with -hosts- and a digest.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{,108}")


class Settings(NamedTuple):
    """The settings, each of the type that Pulumi.yaml declares. Their descriptions are there."""

    instance_type: str
    cpu_credits: str
    min_hosts: int
    max_hosts: int
    requests_per_minute: int
    second_octet: int
    zone_index_a: int
    zone_index_b: int
    alert_email: str
    limit: str
    ntp_servers: str
    check_every: int
    public_url: str
    budget: int
    permissions_boundary: str
    preflight: bool
    quota_check: bool
    protect: bool
    reviewer: str
    reviewer_account: str
    reviewer_external_id: str

    @property
    def architecture(self) -> str:
        """Return the architecture of the instance type, by AWS's name."""
        return "arm64" if self.instance_type.startswith("t4g.") else "x86_64"

    @property
    def machine_image(self) -> str:
        """Return the name of the SSM parameter with the id of the hosts' machine image."""
        return read_template("hosts").default("ImageId").replace("x86_64", self.architecture)

    @classmethod
    def load(cls) -> Settings:
        """Return the settings of the Pulumi stack. Raises UserError."""
        deployment = get_deployment_name()
        if not NAME.fullmatch(deployment):
            raise UserError(
                f"the deployment's name {deployment!r} does not fit into the names of its stacks: "
                "give a letter, then at most 108 letters, digits and hyphens. Run: pulumi stack "
                "rename NAME"
            )
        declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
        values = _read_values(declared)
        _check_values(values)
        _check_combinations(values)
        _check_reviewer(values)
        fields: dict[str, Any] = {}
        for key, value in values.items():
            kind = declared[key]["type"]
            field = _get_field(key)
            fields[field] = int(value) if kind == "integer" else value
            if kind == "boolean":
                fields[field] = value == "true"
        return cls(**fields)


def list_config() -> dict[str, str]:
    """Return the configuration of the Pulumi stack, with the keys of Pulumi.<stack>.yaml.

    pulumi.Config can only look up one key at a time.
    """
    return {**get_config_env(), **CONFIG.get()}


def _read_values(declared: Mapping[str, Any]) -> dict[str, str]:
    """Return the value of each declared setting. Raises UnknownSettingError."""
    config = pulumi.Config()
    for key in list_config():
        namespace, _, setting = key.rpartition(":")
        if namespace == config.name and setting not in declared:
            raise UnknownSettingError(setting, declared)
    return {key: config.get(key) or "" for key in declared}


def _check_values(values: Mapping[str, str]) -> None:
    """Check each value by itself."""
    for key in ("preflight", "quotaCheck", "protect"):
        if values[key] not in ("true", "false"):
            raise SettingError(key, values[key], "must be true or false")
    for key, (part, parameter) in FEEDS.items():
        left_out = LEFT_OUT.get(key)
        fault = read_template(part).find_fault(parameter, values[key])
        if fault and values[key] != left_out:
            complaint = fault if left_out is None else f"{fault}, or {left_out or 'empty'}"
            raise SettingError(key, values[key], complaint)


def _check_combinations(values: Mapping[str, str]) -> None:
    zone_a, zone_b = values["zoneIndexA"], values["zoneIndexB"]
    if int(zone_a) == int(zone_b):
        raise SettingError(
            "zoneIndexB",
            zone_b,
            "must differ from zoneIndexA, because a zone that fails would take both hosts with it",
            {"zoneIndexA": zone_a, "zoneIndexB": "1" if int(zone_a) == 0 else "0"},
        )
    least, most = values["minHosts"], values["maxHosts"]
    if int(most) < int(least):
        complaint = f"must be at least minHosts, which is {least}"
        raise SettingError("maxHosts", most, complaint, {"minHosts": least, "maxHosts": least})
    budget = values["budget"]
    if int(budget) and not values["alertEmail"]:
        complaint = f"must be set, because budget is {budget} and AWS mails it there"
        raise SettingError("alertEmail", "", complaint, {"budget": budget, "alertEmail": "ADDRESS"})


def check_unchanged(settings: Settings, stacks: Iterable[Mapping[str, Any]]) -> None:
    """Raise SettingError if a setting would move the network.

    stacks: those that are deployed, as the API describes them.
    """
    for stack in stacks:
        if stack["StackName"] != f"{get_deployment_name()}-network":
            continue
        deployed = parameters_of(stack)
        for key in FIXED:
            value, present = str(getattr(settings, _get_field(key))), deployed[FEEDS[key][1]]
            if value != present:
                complaint = f"cannot change while the network is deployed, which has {present}"
                raise SettingError(key, value, complaint, {key: present})


def _get_field(key: str) -> str:
    """Return the field of Settings that has the value of a key of Pulumi.yaml."""
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", key)


def _check_reviewer(values: Mapping[str, str]) -> None:
    """Check what CloudFormation would refuse late: the reviewer's stack is made last."""
    if values["reviewer"] == "none":
        return
    deployment = get_deployment_name()
    if fault := read_template("reviewer").find_fault("Deployment", deployment):
        raise UserError(
            f"the deployment {deployment!r} cannot have a reviewer, because of its name: {fault}. "
            "Run: pulumi stack rename NAME"
        )
    account, word = values["reviewerAccount"], values["reviewerExternalId"]
    if values["reviewer"] == "role" and not (account and word):
        raise SettingError(
            "reviewerExternalId" if account else "reviewerAccount",
            "",
            "must be set, because reviewer is role, and a role needs an account and an external id",
            {
                "reviewer": "role",
                "reviewerAccount": account or "ACCOUNT",
                "reviewerExternalId": word or "WORD",
            },
        )
