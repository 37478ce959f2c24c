"""Which changes make a release of the program, and which do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import deployment.release
from deployment.template import Template, read_template
from tests.support.engine import ALL, Engine

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("archives")


def release(config: dict[str, str] | None = None, machine_image: str = "ami-1") -> Any:
    return Engine(machine_image=machine_image).run(config).exports["release"]


def test_the_same_ingredients_make_the_same_release() -> None:
    assert release() == release()


@pytest.mark.parametrize(
    "config",
    [
        {"instanceType": "t3.small"},
        {"cpuCredits": "unlimited"},
        {"maxHosts": "3"},
        {"minHosts": "3", "maxHosts": "3"},
        {"requestsPerMinute": "6000"},
        {"permissionsBoundary": "arn:aws:iam::123456789012:policy/boundary"},
    ],
    ids=str,
)
def test_a_change_of_what_hosts_are_or_how_many_makes_a_new_release(config: dict[str, str]) -> None:
    assert release(config) != release()


@pytest.mark.parametrize(
    "config",
    [{"secondOctet": "7"}, {"alertEmail": "ops@example.org"}, {"protect": "true"}, ALL],
    ids=str,
)
def test_a_change_of_anything_else_does_not(config: dict[str, str]) -> None:
    assert release(config) == release()


def test_a_new_machine_image_makes_a_new_release() -> None:
    assert release(machine_image="ami-2") != release()


def test_a_new_commit_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    before = release()
    monkeypatch.setattr(deployment.release, "get_commit", lambda: "ad998a1decaf")
    assert release() == before


def test_a_new_service_makes_a_new_release(archives: dict[str, str]) -> None:
    before = release()
    archives["image-x86_64"] = "3" * 12
    assert release() != before


def test_a_new_healthcheck_does_not(archives: dict[str, str]) -> None:
    before = release()
    archives["package"] = "3" * 12
    assert release() == before


@pytest.mark.parametrize(("part", "changes"), [("hosts", True), ("balancer", False)])
def test_a_change_of_the_hosts_template_alone_makes_a_new_release(
    part: str, changes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = release()
    template: Template = read_template(part)
    monkeypatch.setattr(template, "body", template.body + "# changed\n")
    assert (release() != before) is changes


def test_a_new_release_is_a_resource_of_its_own(archives: dict[str, str]) -> None:
    """The old release then stays in the state until the end, and a rollback finds it there."""
    before = set(Engine().run().resources)
    archives["image-x86_64"] = "3" * 12
    after = set(Engine().run().resources)
    assert {name.split("-")[0] for name in before - after} == {"image", "hosts"}
    assert {name.split("-")[0] for name in after - before} == {"image", "hosts"}
