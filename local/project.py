"""The Pulumi project as the local cloud deploys it: its name, its stack, its configuration."""

import argparse
import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from deployment import ROOT
from deployment.errors import UnknownSettingError, UserError
from local.api import ACCOUNT_ROOT, REGION

PROJECT: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
STACK = "local"
# The names of the deployment's stacks begin with this.
DEPLOYMENT = f"{PROJECT['name']}-{STACK}"
# The settings of the deployment, in its folder: KEY -> VALUE as given in CONFIG.
CONFIG_FILE = "config.json"


def parse_name(text: str) -> str:
    """Return the name of a local deployment. Raises ArgumentTypeError."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name: give 1 to 31 lower-case letters, digits and hyphens, a "
            "letter first"
        )
    return text


def parse_config(text: str) -> dict[str, str]:
    """Return the settings in `KEY=VALUE KEY=VALUE`, where quotes work as in a shell.

    Raises UserError for a word that is no KEY=VALUE, for a KEY that Pulumi.yaml does not declare,
    and for a KEY that is given twice.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(
            f"CONFIG cannot be read ({error}): {text}. Quote values as in a shell"
        ) from None
    settings: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UserError(f'{word!r} is not KEY=VALUE, as in CONFIG="minHosts=3 maxHosts=4"')
        if key not in PROJECT["config"]:
            raise UnknownSettingError(key, PROJECT["config"])
        if key in settings:
            raise UserError(
                f"CONFIG has {key} twice, {settings[key]!r} and {value!r}: give it once"
            )
        settings[key] = value
    return settings


def merge_config(folder: Path, given: dict[str, str]) -> dict[str, str]:
    """Return the settings that earlier runs kept in the folder, and the given ones.

    As Pulumi does, make up keeps a setting until it is cleared: with an empty value.
    """
    file = folder / CONFIG_FILE
    known = json.loads(file.read_text()) if file.exists() else {}
    return {key: value for key, value in {**known, **given}.items() if value}


def save_config(folder: Path, settings: dict[str, str]) -> None:
    (folder / CONFIG_FILE).write_text(json.dumps(settings))


def format_config(settings: dict[str, str]) -> str:
    """Return the settings as the words that parse_config reads."""
    return shlex.join(f"{key}={value}" for key, value in settings.items())


def read_config(stack: str) -> dict[str, Any]:
    """Return what Pulumi.<stack>.yaml sets. Raises UserError if the file is missing or broken."""
    return dict(_read_file(stack)["config"])


def _read_file(stack: str) -> dict[str, Any]:
    name = f"Pulumi.{stack}.yaml"
    try:
        content = yaml.safe_load((ROOT / name).read_text()) or {}
        return {**content, "config": dict(content.get("config") or {})}
    except FileNotFoundError:
        raise UserError(
            f"there is no {name}: run pulumi stack init {stack}, or name another stack: STACK=NAME"
        ) from None
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError) as error:
        raise UserError(
            f"{name} cannot be read: {error}. Correct it, or name another stack: STACK=NAME"
        ) from None


def write_config(endpoint: str, url: str, architecture: str) -> None:
    """Write Pulumi.local.yaml, with which Pulumi's provider deploys into the local cloud.

    What the user has set there stays, and so does what the pulumi CLI keeps there. Raises UserError
    if the file is broken.
    """
    path = ROOT / f"Pulumi.{STACK}.yaml"
    content = _read_file(STACK) if path.exists() else {"config": {}}
    services = ("cloudformation", "ec2", "iam", "s3", "ssm", "sts")
    content["config"] |= {
        f"{PROJECT['name']}:preflight": "false",
        f"{PROJECT['name']}:publicUrl": url,
        "local:architecture": architecture,
        "aws:region": REGION,
        # The key is no secret: it is the root of an account that only this machine reaches.
        "aws:accessKey": ACCOUNT_ROOT.key,
        "aws:secretKey": ACCOUNT_ROOT.secret,
        "aws:skipCredentialsValidation": "true",
        "aws:skipMetadataApiCheck": "true",
        "aws:skipRequestingAccountId": "true",
        "aws:s3UsePathStyle": "true",
        "aws:endpoints": [dict.fromkeys(services, endpoint)],
    }
    path.write_text(yaml.safe_dump(content))
    # make may have run this as root, and the pulumi CLI writes into it as the user.
    owner = ROOT.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


def get_configuration(
    overrides: dict[str, str], stack: str = STACK, region: str = REGION
) -> dict[str, str]:
    """Return the defaults of Pulumi.yaml, then Pulumi.<stack>.yaml, then `overrides`.

    make up reads no Pulumi.local.yaml, which is the pulumi CLI's.
    """
    prefix = f"{PROJECT['name']}:"
    values = {
        key: declared["default"]
        for key, declared in PROJECT["config"].items()
        if isinstance(declared, dict) and "default" in declared
    }
    # The local cloud lacks most of what preflight asks for.
    config = {f"{prefix}preflight": "false"} if stack == STACK else read_config(stack)
    for key, value in config.items():
        if key.startswith(prefix):
            values[key.removeprefix(prefix)] = value
    return {
        key if ":" in key else prefix + key: _text(value)
        for key, value in (values | overrides).items()
    } | {"aws:region": region}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower()
