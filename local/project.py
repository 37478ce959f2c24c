"""The Pulumi project as the local cloud deploys it: its name, its stack, its configuration."""

from __future__ import annotations

from typing import Any

import yaml

from local.api import REGION
from local.containers import ROOT

PROJECT: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
STACK = "local"
DEPLOYMENT = f"{PROJECT['name']}-{STACK}"  # what the names of its stacks begin with


def configuration(
    overrides: dict[str, str], stack: str = STACK, region: str = REGION
) -> dict[str, str]:
    """The defaults in Pulumi.yaml, then Pulumi.<stack>.yaml, then `overrides`."""
    prefix = f"{PROJECT['name']}:"
    values = {
        key: declared["default"]
        for key, declared in PROJECT["config"].items()
        if isinstance(declared, dict) and "default" in declared
    }
    chosen = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text()).get("config") or {}
    values |= {
        key.removeprefix(prefix): value for key, value in chosen.items() if key.startswith(prefix)
    }
    return {
        key if ":" in key else prefix + key: _text(value)
        for key, value in (values | overrides).items()
    } | {"aws:region": region}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower()
