"""What a local deployment has left on this machine is found and told, with what removes it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import ClassVar

import pytest

from deployment.errors import UserError
from local.containers import CLONE
from local.steps import alone
from ops.leftovers import __main__ as leftovers
from ops.leftovers import machine


class Engine:
    """A deployment's containers, as far as traces asks for them."""

    left: ClassVar[list[str]] = []
    owner_is: ClassVar[str | None] = None

    def __init__(self, name: str) -> None:
        pass

    def leftovers(self) -> list[str]:
        return self.left

    def owner(self) -> str | None:
        return self.owner_is

    def endpoint(self) -> str:
        raise UserError("it is not up")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Engine]:
    class This(Engine):
        pass

    monkeypatch.setattr(machine, "Containers", This)
    monkeypatch.setattr(machine, "folder_of", lambda name: tmp_path / name)
    monkeypatch.setattr(machine, "running", list)
    return This


def test_nothing_of_a_local_deployment_is_nothing(
    engine: type[Engine], capsys: pytest.CaptureFixture[str]
) -> None:
    assert leftovers.main(["--stack", "local", "--name", "x"]) == 0
    assert capsys.readouterr().out == "Nothing is left.\n"


def test_what_a_killed_run_has_left_on_this_machine_is_told_with_what_removes_it(
    engine: type[Engine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine.left = ["volume x-run"]
    (tmp_path / "x").mkdir()
    monkeypatch.setattr(machine, "running", lambda: [(7, "process 7 (mmdebstrap)")])
    monkeypatch.setattr(machine, "mounts", lambda: ["/clone/build/tmp/proc"])
    with alone(tmp_path / "x.lock", UserError()):
        assert leftovers.main(["--stack", "local", "--name", "x"]) == 1
    told = capsys.readouterr().out
    assert "volume x-run: it is labelled with this deployment\n      NAME=x make down" in told
    assert f"folder {tmp_path / 'x'}: make up writes it" in told
    assert "process of another make up or make down: wait for it" in told
    assert "process 7 (mmdebstrap): this clone started it\n      kill 7" in told
    assert "umount /clone/build/tmp/proc" in told


def test_another_clone_s_deployment_is_told_as_such(
    engine: type[Engine], capsys: pytest.CaptureFixture[str]
) -> None:
    engine.left, engine.owner_is = ["container x-api"], "/elsewhere"
    assert leftovers.main(["--stack", "local", "--name", "x"]) == 1
    assert "make down (in the clone /elsewhere, whose it is)" in capsys.readouterr().out


@pytest.mark.parametrize(("clone", "found"), [(CLONE, True), ("another!", False)])
def test_a_process_that_outlived_its_script_is_found_by_its_clone(clone: str, found: bool) -> None:
    with subprocess.Popen(["/bin/sleep", "60"], env={"TIMESERVICE_LOCKED": clone}) as process:
        try:
            while not Path(f"/proc/{process.pid}/environ").read_bytes():
                time.sleep(0.01)  # the kernel has not laid it out yet
            assert (process.pid in [pid for pid, _ in machine.running()]) is found
        finally:
            process.kill()


def test_mounts_in_the_clone_s_build_folder_are_found_the_innermost_first(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "proc /proc proc rw 0 0\nt /a\\040b/build/tmp/x t rw 0 0\nt /a\\040b/build/tmp/x/y t rw 0 0\n"
    )
    assert machine.mounts(table, Path("/a b")) == ["/a b/build/tmp/x/y", "/a b/build/tmp/x"]
    assert machine.mounts(table, Path("/a")) == []
