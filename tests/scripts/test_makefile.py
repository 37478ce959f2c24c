"""The Makefile: its own list of targets, and what it makes of the words after one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FOR_OTHERS = {"built"}  # a part of other targets, and nothing to call
DAILY = ["up", "status", "logs", "shell", "check", "test", "down"]


def make(*arguments: str, folder: Path = ROOT) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_help_has_a_line_for_every_target_and_those_of_every_day_first() -> None:
    listed = re.findall(r"^  make ([a-z-]+) +\S", make("help"), re.MULTILINE)
    assert listed[: len(DAILY)] == DAILY
    assert sorted(listed) == sorted(TARGETS - FOR_OTHERS)


def test_help_is_aligned_and_fits_a_terminal() -> None:
    lines = [line for line in make("help").splitlines() if line.startswith("  ")]
    assert {re.match(r"  make [a-z-]+ +", line).end() for line in lines} == {25}  # type: ignore[union-attr]
    assert max(map(len, lines)) <= 100


def test_help_has_the_groups_of_the_makefile_and_is_what_make_alone_says() -> None:
    groups = [line for line in make().splitlines() if line and not line.startswith(" ")]
    assert groups[0] == "Every day"
    assert len(groups) == 5


@pytest.mark.parametrize(
    ("arguments", "run"),
    [
        (["logs"], "local logs"),
        (["logs", "a"], "local logs --host a"),
        (["logs", "HOST=i-0", "FOLLOW=1"], "local logs --host i-0 --follow"),
        (["shell", "2"], 'local shell --host 2 --run "$COMMAND"'),
        (["drill", "host-dies", "burst"], "drills host-dies burst"),
    ],
    ids=" ".join,
)
def test_what_follows_some_targets_is_no_target(
    arguments: list[str], run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "this-machine")  # as some shells do, and no host of ours
    lines = make("--dry-run", *arguments).splitlines()
    commands = [line.split("-m ", 1)[1] for line in lines if "python -m " in line]
    assert [command.split() for command in commands] == [run.split()]


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """In the place of Python: tells its arguments, a line each."""
    stub = tmp_path / "python"
    stub.write_text("#!/bin/bash\nprintf '%s\\n' \"$@\"\n")
    stub.chmod(0o755)
    return stub


@pytest.mark.parametrize(
    "command", ["docker inspect $(docker ps -q)", "echo $HOME $$ # '$(error no)'", "$$(id)"]
)
def test_a_command_for_a_host_reaches_it_as_it_was_written(command: str, python: Path) -> None:
    given = ["shell", "a", f"COMMAND={command}", f"PYTHON={python}"]
    said = make("--old-file=setup", "ROOT=", *given).splitlines()
    assert said == ["-m", "local", "shell", "--host", "a", "--run", command]


def test_a_command_of_the_environment_is_not_run(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMAND", "poweroff")
    said = make("--old-file=setup", "ROOT=", "shell", "a", f"PYTHON={python}").splitlines()
    assert said[-2:] == ["--run", ""]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with this Makefile, with scripts that do nothing, and with a Python that prints."""
    (tmp_path / "scripts").mkdir()
    for name in ("setup", "engine", "image", "package"):
        script = tmp_path / f"scripts/{name}.sh"
        script.write_text("#!/bin/bash\n")
        script.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


@pytest.mark.parametrize("target", ["up", "cost"])
@pytest.mark.parametrize(
    "config",
    [
        ";touch x",
        "a=1;touch x",
        "$(touch x)",
        "$(shell touch x)",
        "$$(touch x)",
        "`touch x`",
        "a='touch x' b=\"c\" && touch x",
    ],
)
def test_config_reaches_the_program_as_it_was_written_and_no_shell(
    target: str, config: str, copy: Path, python: Path
) -> None:
    arguments = [target, f"CONFIG={config}", f"PYTHON={python}", "ROOT=", "SUDO="]
    lines = make(*arguments, folder=copy).splitlines()
    assert lines[lines.index("--config") + 1] == config
    assert not (copy / "x").exists()
