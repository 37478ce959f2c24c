"""docs/settings.md has each setting of Pulumi.yaml, with its default and the values it allows."""

from __future__ import annotations

import re

import pytest
import yaml

from deployment import ROOT
from deployment.settings import FEEDS, LEFT_OUT
from deployment.template import read_template
from tests.support.templates import TEMPLATES

PAGE = (ROOT / "docs/settings.md").read_text()
SETTINGS = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
ROWS = {
    row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$", PAGE, re.M)
}


def quote(default: object) -> str:
    """Return a default as the page writes it."""
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`" if text else "empty"


def test_the_page_has_each_setting_once_and_no_other() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", PAGE, re.M)
    assert sorted(listed) == sorted(SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_default_is_that_of_the_program(setting: str) -> None:
    default, _, _ = ROWS[setting]
    assert default == quote(SETTINGS[setting]["default"])


@pytest.mark.parametrize("setting", sorted(FEEDS.keys() - LEFT_OUT.keys()))
def test_the_default_is_that_of_the_template(setting: str) -> None:
    part, name = FEEDS[setting]
    assert str(SETTINGS[setting]["default"]) == TEMPLATES[part].default(name)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_allowed_values_are_those_that_are_accepted(setting: str) -> None:
    _, allowed, _ = ROWS[setting]
    listed = re.findall(r"`([^`]+)`", allowed)
    if SETTINGS[setting]["type"] == "boolean":
        assert listed == ["true", "false"]
        return
    part, name = FEEDS[setting]
    parameter = TEMPLATES[part].parameters[name]
    if "AllowedValues" in parameter:
        left_out = [LEFT_OUT[setting]] if setting in LEFT_OUT else []
        assert listed == [str(value) for value in parameter["AllowedValues"]] + left_out
    if "MinValue" in parameter:
        assert f"from {parameter['MinValue']} to {parameter['MaxValue']}" in allowed
    if read_template(part).find_fault(name, "") is None or LEFT_OUT.get(setting) == "":
        assert allowed.endswith("or empty")
