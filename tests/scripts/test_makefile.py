"""The Makefile: its own list of targets, and how its variables reach the programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scripts.conftest import ROOT, VARIABLES

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
DAILY = ["up", "status", "logs", "shell", "check", "test", "down"]


def run_make(
    *arguments: str, folder: Path = ROOT, check: bool = False
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=check,
    )


def make(*arguments: str, folder: Path = ROOT) -> str:
    return run_make(*arguments, folder=folder, check=True).stdout


def test_help_has_a_line_for_every_target_and_those_of_every_day_first() -> None:
    listed = re.findall(r"^  make ([a-z-]+) +\S", make("help"), re.MULTILINE)
    assert listed[: len(DAILY)] == DAILY
    assert sorted(listed) == sorted(TARGETS)


def test_help_is_aligned_and_fits_a_terminal() -> None:
    lines = [line for line in make("help").splitlines() if line.startswith("  ")]
    assert {re.match(r"  make [a-z-]+ +", line).end() for line in lines} == {25}  # type: ignore[union-attr]
    assert max(map(len, lines)) <= 100


def test_help_has_the_groups_of_the_makefile_and_is_what_make_alone_says() -> None:
    groups = [line for line in make().splitlines() if line and not line.startswith(" ")]
    assert groups[0] == "Every day"
    assert len(groups) == 4


@pytest.fixture
def python(tmp_path: Path) -> str:
    """A stand-in for Python that prints its arguments, one on each line."""
    stub = tmp_path / "python"
    stub.write_text("#!/bin/bash\nprintf '%s\\n' \"$@\"\n")
    stub.chmod(0o755)
    return f"PYTHON={stub}"


def run_recipe(*arguments: str) -> list[str]:
    """Return the lines that a target prints, without the scripts that its recipe begins with."""
    return make("--old-file=setup", "SUDO=", "BUILD_ALL=true", *arguments).splitlines()


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        (["status"], ["local", "status"]),
        (["check"], ["local", "check"]),
        (["cost"], ["ops.cost", "--config", ""]),
        (
            ["cost", "REGION=eu-west-1", "HOSTS=3", "CONFIG=minHosts=3"],
            ["ops.cost", "--config", "minHosts=3", "--region", "eu-west-1", "--hosts", "3"],
        ),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_target_passes_its_variables_to_its_program(
    arguments: list[str], program: list[str], python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "this-machine")  # some shells set it to this machine's own name
    assert run_recipe(*arguments, python) == ["-m", *program]


def test_drills_are_checked_before_they_are_built(python: str) -> None:
    names = ["host-dies", "burst"]
    lines = run_recipe("drill", *names, python, "BUILD_ALL=echo built")
    assert lines == ["-m", "drills", "--check", *names, "built", "-m", "drills", *names]


@pytest.mark.parametrize("value", ["; touch x", "`touch x`", "' \""])
@pytest.mark.parametrize("variable", ["REGION", "HOSTS"])
def test_no_variable_is_run_by_a_shell(variable: str, value: str, python: str) -> None:
    assert value in run_recipe("cost", f"{variable}={value}", python)


VALUES = ("; touch x", "$$(touch x)", "`touch x`", "' \" $HOME $$ # $(error no)", "* a  b")


@pytest.fixture
def printing(tmp_path: Path) -> Callable[[str], str]:
    """A stand-in for Python that prints a variable of its environment, and its arguments."""

    def make_stub(variable: str) -> str:
        stub = tmp_path / "python"
        stub.write_text(f'#!/bin/bash\nprintf "%s\\n" "${variable}" "$*"\n')
        stub.chmod(0o755)
        return f"PYTHON={stub}"

    return make_stub


@pytest.mark.parametrize("variable", VARIABLES.split())
def test_a_variable_reaches_a_program_by_the_environment_alone(
    variable: str, printing: Callable[[str], str]
) -> None:
    target = "reach" if variable == "STACK" else "shell"
    printed = run_recipe(target, f"{variable}=; echo x", printing(variable), "LOCAL_SUDO=")
    assert printed[0] == "; echo x"
    assert printed[1] in ("-m ops.reach", "-m local shell")


@pytest.mark.parametrize("value", VALUES)
def test_a_command_for_a_host_reaches_it_as_it_was_written(
    value: str, printing: Callable[[str], str]
) -> None:
    assert run_recipe("shell", "HOST=a", f"COMMAND={value}", printing("COMMAND"))[0] == value


@pytest.mark.parametrize("variable", ["COMMAND", "HOST"])
def test_a_command_and_a_host_of_the_environment_are_not_meant(
    variable: str, printing: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "poweroff")
    assert run_recipe("shell", printing(variable))[0] == ""


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the pulumi CLI that is answered "no"; return what it was called with."""
    calls = tmp_path / "calls"
    stub = tmp_path / "pulumi"
    stub.write_text(f'#!/bin/bash\necho "$*" >>{calls}\nexit 255\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return calls


@pytest.mark.parametrize("region", ["", "us-east-1"])
def test_nothing_is_destroyed_after_a_refusal(
    region: str, pulumi: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS never responds here. The Region may be set or not."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_REGION", region)
    done = run_make("--old-file=setup", "destroy", "STACK=prod")
    assert done.returncode != 0
    assert pulumi.read_text() == "destroy --stack prod\n"
    warning, *others = done.stderr.splitlines()
    assert warning.startswith("warning: requests to AWS fail, so no bucket is emptied: ")
    assert [line for line in others if not line.startswith("make")] == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with this Makefile, and with scripts that do nothing."""
    (tmp_path / "scripts").mkdir()
    for name in ("setup", "engine", "port", "build"):
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
    target: str, config: str, copy: Path, printing: Callable[[str], str]
) -> None:
    arguments = [target, f"CONFIG={config}", printing("CONFIG"), "SUDO="]
    lines = make(*arguments, folder=copy).splitlines()
    # make up validates it first.
    modules = ["-m local validate", "-m local up"]
    if target == "cost":
        modules = [f"-m ops.cost --config {config}"]
    assert lines == [line for module in modules for line in (config, module)]
    assert not (copy / "x").exists()


def test_a_wrong_setting_ends_make_up_before_anything_is_built(copy: Path) -> None:
    for name in ("engine", "build"):
        (copy / f"scripts/{name}.sh").write_text("#!/bin/bash\ntouch built\n")
    command = ["make", "up", "CONFIG=minHosts=3", "PYTHON=false", "SUDO="]
    assert subprocess.run(command, cwd=copy, capture_output=True).returncode == 2
    assert not (copy / "built").exists()


def test_a_repair_names_its_stack() -> None:
    done = run_make("--old-file=setup", "repair", "STACK=")
    assert done.returncode == 2
    assert "error: name the stack: make repair STACK=prod" in done.stderr
