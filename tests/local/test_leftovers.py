"""What a local deployment has left on this machine is listed with what removes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployment.errors import UserError
from local import leftovers
from local.steps import hold_lock


class Cloud:
    """The containers of a deployment, as far as local.leftovers asks for them."""

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


def test_a_machine_without_an_engine_has_nothing() -> None:
    assert leftovers.list_leftovers("x", None) == []
    assert leftovers.find_endpoint(None) is None


@pytest.mark.parametrize("engine_is_installed", [True, False])
def test_an_engine_that_does_not_answer_is_reported_and_a_missing_one_is_not(
    engine_is_installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> None:
        raise UserError("no Docker engine answers")

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(leftovers, "Containers", refuse)
    monkeypatch.setattr(leftovers.shutil, "which", lambda _: engine_is_installed)  # type: ignore[attr-defined]
    if engine_is_installed:
        with pytest.raises(UserError, match=r"its containers are unknown; scripts/engine\.sh"):
            leftovers.connect("x")
    else:
        assert leftovers.connect("x") is None


def test_what_a_killed_run_has_left_is_listed_with_what_removes_it(tmp_path: Path) -> None:
    cloud: Any = Cloud(["volume x-run"])
    (tmp_path / "x").mkdir()
    with hold_lock(tmp_path / "x.lock", ""):
        lines = "\n".join(leftovers.list_leftovers("x", cloud))
    assert "volume x-run: its label names this deployment\n      NAME=x make down" in lines
    assert f"folder {tmp_path / 'x'}: make up writes it" in lines
    assert "process of another make up or make down: wait for it" in lines


def test_another_clone_s_deployment_is_reported_with_its_clone() -> None:
    cloud: Any = Cloud(["container x-api"], owner="/elsewhere")
    (line,) = leftovers.list_leftovers("x", cloud)
    assert "make down (in the clone /elsewhere, which owns it)" in line
