"""What a local deployment has left on this machine is listed with what removes it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from deployment.errors import UserError
from local import leftovers
from local.containers import CLONE
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
    """A machine on which nothing runs and nothing is mounted."""
    monkeypatch.setattr(leftovers, "get_folder", lambda name: tmp_path / name)
    monkeypatch.setattr(leftovers, "list_processes", list)
    monkeypatch.setattr(leftovers, "list_mounts", list)


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


def test_what_a_killed_run_has_left_is_listed_with_what_removes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud: Any = Cloud(["volume x-run"])
    (tmp_path / "x").mkdir()
    monkeypatch.setattr(leftovers, "list_processes", lambda: [(7, "mmdebstrap")])
    monkeypatch.setattr(leftovers, "list_mounts", lambda: ["/clone/build/tmp/proc"])
    with hold_lock(tmp_path / "x.lock", ""):
        lines = "\n".join(leftovers.list_leftovers("x", cloud))
    assert "volume x-run: its label names this deployment\n      NAME=x make down" in lines
    assert f"folder {tmp_path / 'x'}: make up writes it" in lines
    assert "process of another make up or make down: wait for it" in lines
    assert "process 7 (mmdebstrap): this clone started it\n      kill 7" in lines
    assert "umount /clone/build/tmp/proc" in lines


def test_another_clone_s_deployment_is_reported_with_its_clone() -> None:
    cloud: Any = Cloud(["container x-api"], owner="/elsewhere")
    (line,) = leftovers.list_leftovers("x", cloud)
    assert "make down (in the clone /elsewhere, which owns it)" in line


@pytest.mark.parametrize(("clone", "is_listed"), [(CLONE, True), ("another!", False)])
def test_a_process_that_outlived_its_script_is_listed_by_its_clone(
    clone: str, is_listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with subprocess.Popen(["/bin/sleep", "60"], env={"TIMESERVICE_LOCKED": clone}) as process:
        try:
            # The kernel lays the environment out a moment later.
            while not Path(f"/proc/{process.pid}/environ").read_bytes():
                time.sleep(0.01)
            listed = (process.pid, "/bin/sleep 60") in leftovers.list_processes()
            assert listed is is_listed
        finally:
            process.kill()


def test_mounts_in_the_clone_s_build_folder_are_listed_the_innermost_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    table = tmp_path / "mounts"
    folder = r"/a\040b/build/tmp/x"
    table.write_text(f"proc /proc proc rw 0 0\nt {folder} t rw 0 0\nt {folder}/y t rw 0 0\n")
    mounts = leftovers.list_mounts(table, Path("/a b"))
    assert mounts == ["/a b/build/tmp/x/y", "/a b/build/tmp/x"]
    assert leftovers.list_mounts(table, Path("/a")) == []
