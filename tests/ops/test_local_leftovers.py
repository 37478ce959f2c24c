"""What a local deployment has left on this machine is listed with what removes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops import leftovers


class Cloud:
    """The containers of a deployment, as far as ops.leftovers asks for them."""

    name = "x"

    def __init__(self, left: list[str], owner: str | None = None) -> None:
        self.left, self.clone = left, owner

    def leftovers(self) -> list[str]:
        return self.left

    def owner(self) -> str | None:
        return self.clone


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with an empty build/."""
    monkeypatch.setattr(leftovers, "get_folder", lambda name: tmp_path / name)


def test_what_left_nothing_has_no_lines() -> None:
    cloud: Any = Cloud([])
    assert leftovers.list_leftovers(cloud) == []


def test_what_a_killed_run_has_left_is_listed_with_what_removes_it(tmp_path: Path) -> None:
    cloud: Any = Cloud(["volume x-run"])
    (tmp_path / "x").mkdir()
    lines = "\n".join(leftovers.list_leftovers(cloud))
    assert "volume x-run: its label names this deployment\n      NAME=x make down" in lines
    assert f"folder {tmp_path / 'x'}: make up writes it" in lines


def test_another_clone_s_deployment_is_reported_with_its_clone() -> None:
    cloud: Any = Cloud(["container x-api"], owner="/elsewhere")
    (line,) = leftovers.list_leftovers(cloud)
    assert "make down (in the clone /elsewhere, which owns it)" in line
