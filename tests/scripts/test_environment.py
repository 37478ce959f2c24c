"""Variables that a user sets for other work change nothing here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.containers import CLONE
from tests.scripts.conftest import VARIABLES
from tests.scripts.test_scripts import Run, set_up, source

ROOT = Path(__file__).parents[2]


def test_a_clone_has_one_path_by_whatever_link_and_cdpath_it_is_reached(
    run: Run, clone: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(clone)
    code = source(f"cd '{tmp_path}/link'; source scripts/common.sh; echo \"$ROOT\"")
    assert run(*code, environment={"CDPATH": str(clone)}).stdout == f"{clone}\n"


def test_scripts_and_programs_give_a_clone_the_same_mark(tmp_path: Path) -> None:
    command = ["bash", "-c", "source scripts/common.sh; echo $CLONE"]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == f"{CLONE}\n"


@pytest.mark.parametrize(
    "name",
    [
        "CONDA_PREFIX",
        "DOCKER_CONTENT_TRUST",
        "DOCKER_DEFAULT_PLATFORM",
        "GREP_OPTIONS",
        "PIP_TARGET",
        "PIP_NO_BINARY",
        "POSIXLY_CORRECT",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSAFEPATH",
        "PYTHONSTARTUP",
        "TAR_OPTIONS",
        "UV_OFFLINE",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "VIRTUAL_ENV",
    ],
)
def test_a_variable_that_would_change_a_tool_does_not_reach_it(name: str, run: Run) -> None:
    done = run(*source("env"), environment={name: "1"})
    assert done.returncode == 0
    assert f"\n{name}=" not in f"\n{done.stdout}"


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "UV_INDEX_URL", "UV_HTTP_TIMEOUT", "PIP_CERT"])
def test_where_packages_come_from_reaches_the_tools(name: str, run: Run) -> None:
    assert f"{name}=1\n" in run(*source("env"), environment={name: "1"}).stdout


def test_packages_are_installed_into_the_virtual_environment_and_messages_are_english(
    run: Run,
) -> None:
    environment = {"PIP_USER": "1", "LC_ALL": "de_DE.UTF-8", "TMPDIR": "/nowhere"}
    done = run(*source("env; mktemp -u"), environment=environment)
    assert {"PIP_USER=0", "LC_ALL=C.UTF-8"} <= set(done.stdout.splitlines())
    assert "nowhere" not in done.stdout


# Like sudo-rs, it passes arguments on, and no variables.
SUDO = 'exec env -i PATH="$PATH" "$@"'


@pytest.mark.parametrize(
    "name",
    [
        *VARIABLES.split(),
        *("TOOLBOX", "ENGINE_SOCKET", "TIMESERVICE_STARTED", "https_proxy", "DOCKER_CONTEXT"),
    ],
)
def test_a_variable_reaches_a_program_through_a_sudo_that_keeps_none(name: str, run: Run) -> None:
    value = "a  'value'; echo \"x\""
    done = run(*source("as_root env"), environment={name: value}, sudo=SUDO, id="echo 1000")
    assert f"{name}={value}\n" in done.stdout


def test_no_secret_is_an_argument_of_sudo(run: Run) -> None:
    environment = {"AWS_SECRET_ACCESS_KEY": "hush", "PULUMI_CONFIG_PASSPHRASE": "hush"}
    done = run(*source("as_root true"), environment=environment, sudo='echo "$@"', id="echo 1000")
    assert done.stdout.endswith(" true\n")
    assert "hush" not in done.stdout


def test_a_command_on_an_open_socket_is_no_sudo_s(run: Run) -> None:
    done = run(
        "scripts/with-docker.sh",
        "printenv",
        "NAME",
        environment={"NAME": "a"},
        printenv="echo $NAME",
    )
    assert (done.returncode, done.stdout) == (0, "a\n")


@pytest.mark.parametrize(
    ("setting", "variable"),
    [
        ("global.index-url='https://mirror.example/simple'", "UV_INDEX_URL"),
        (":env:.index-url='https://mirror.example/simple'", "UV_INDEX_URL"),
        ("install.extra-index-url='https://mirror.example/simple'", "UV_EXTRA_INDEX_URL"),
        ("global.cert='/etc/company.pem'", "SSL_CERT_FILE"),
        ("global.proxy='http://proxy.example:3128'", "ALL_PROXY"),
    ],
)
def test_uv_gets_what_pip_is_set_to(setting: str, variable: str, run: Run, clone: Path) -> None:
    for name, body in {"python": f'echo "{setting}"', "uv": "env"}.items():
        program = clone / ".venv/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/bash\n{body}\n")
        program.chmod(0o755)
    done = run(*source("our_uv pip sync"))
    value = setting.split("'")[1]
    assert {f"{variable}={value}", "UV_SYSTEM_CERTS=1"} <= set(done.stdout.splitlines())
    own = run(*source("our_uv pip sync"), environment={variable: "own"})
    assert f"{variable}=own\n" in own.stdout


@pytest.mark.parametrize("change", ["gone", "another version", "moved"])
def test_packages_are_installed_again_when_their_python_or_their_folder_changes(
    change: str, run: Run, clone: Path
) -> None:
    """Without python3 here, another set-up fails with this message."""
    assert run(*source(set_up(clone))).stderr == ""
    assert run("scripts/setup.sh").returncode == 0
    python = clone / ".venv/bin/python"
    python.unlink()
    if change == "another version":
        python.write_text("#!/bin/bash\necho 3.99\n")
        python.chmod(0o755)
    elif change == "moved":
        (clone / ".venv/pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n")
        python.symlink_to(sys.executable)
    assert "make needs Python 3.11 or later, and python3 is " in run("scripts/setup.sh").stderr


def test_apt_waits_for_the_updates_that_a_new_machine_starts(run: Run, clone: Path) -> None:
    apt = """
    echo "$*" >>calls
    if [ "$1" = update ] && [ "$(grep -c update calls)" -lt 3 ]; then
        echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1" >&2
        exit 100
    fi"""
    stubs = {"apt-get": apt, "apt-cache": "", "sleep": "", "id": "echo 0"}
    run("scripts/engine.sh", **stubs)
    *updates, install = (clone / "calls").read_text().splitlines()
    assert updates == ["update"] * 3
    assert install.startswith("-o DPkg::Lock::Timeout=300 install ")


def test_a_git_that_writes_crlf_leaves_the_files_as_they_are(tmp_path: Path) -> None:
    files = {"run.sh": b"#!/bin/sh\necho\n", "picture.png": b"\x89PNG\r\n\x1a\n\x00\x00\n"}
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    for command in (["init", "-q"], ["add", "."], ["rm", "-q", "--cached", "run.sh"], ["add", "."]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    for name in files:
        (tmp_path / name).unlink()
    subprocess.run([*git, "checkout", "-q", "."], cwd=tmp_path, check=True)
    assert {name: (tmp_path / name).read_bytes() for name in files} == files


@pytest.mark.parametrize("name", ["PYTHONHOME", "PYTHONSAFEPATH", "PYTEST_ADDOPTS", "BASH_ENV"])
def test_a_variable_that_would_change_a_program_does_not_reach_it(
    name: str, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/usr/bin/env -S bash --norc\nenv\n")
    python.chmod(0o755)
    command = ["make", "--old-file=setup", "cost", f"PYTHON={python}"]
    environment = os.environ | {name: str(tmp_path / "file")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    assert f"\n{name}=" not in done.stdout


def test_targets_run_one_after_the_other_whatever_makeflags_has(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    bodies = {"tools": "", "lint": "sleep 0.2; echo lint", "scan": "echo scan"}
    for name, body in bodies.items():
        script = tmp_path / f"scripts/{name}.sh"
        script.write_text(f"#!/bin/bash\n{body}\n")
        script.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    command = ["make", "--no-print-directory", "--old-file=setup", "lint", "scan"]
    environment = os.environ | {"MAKEFLAGS": "-j4"}
    printed = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
    assert printed == "lint\nscan\n"
