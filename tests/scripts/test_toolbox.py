"""Where make runs: on this machine or in the toolbox, by a stand-in for the docker client."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.scripts.conftest import VARIABLES
from tests.support.tools import find_file

ROOT = Path(__file__).parents[2]
HOSTNAME = os.uname().nodename
# What the scripts may use outside of the toolbox: BusyBox and macOS have each of these.
TOOLS = [
    "cat",
    "cut",
    "date",
    "dirname",
    "env",
    "grep",
    "id",
    "mkdir",
    "rm",
    "sh",
    "sha256sum",
    "sleep",
    "tr",
    "uname",
]
# A stand-in for the docker client, which records the arguments of `docker run` and `docker build`.
DOCKER = r"""#!/usr/bin/env python3
import json, os, sys
from pathlib import Path

folder, arguments = Path(sys.argv[0]).parent, sys.argv[1:]
engine = json.loads((folder / "engine").read_text())
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps([arguments, {"CONFIG": os.environ.get("CONFIG")}]) + "\n")
if engine["down"] and arguments[0] != "context":
    sys.exit("permission denied while trying to connect to the Docker daemon socket")
match arguments:
    case ["context", *_]:
        print(os.environ.get("DOCKER_HOST") or engine["endpoint"])
    case ["info", _, form]:
        print(form.replace("{{.Name}}", engine["name"])
            .replace("{{.OperatingSystem}}", engine["operating_system"])
            .replace("{{.SecurityOptions}}", engine["security"]))
    case ["image", "inspect", *_]:
        sys.exit(engine["image"])
    case ["image", "ls", *_]:
        print("4711")
    case ["build", *_]:
        sys.exit(engine["build"])
    case ["run", *_]:
        sys.exit(engine["run"])
"""
ENGINE = {
    "name": HOSTNAME,
    "operating_system": "Debian GNU/Linux 12 (bookworm)",
    "security": "[name=seccomp,profile=default]",
    "endpoint": "unix:///var/run/docker.sock",
    "down": False,
    "image": 0,
    "build": 0,
    "run": 0,
}

Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Run make in a clone, on a machine with TOOLS and a Docker engine.

    system: the ID and VERSION_ID of /etc/os-release. tools: what is installed besides TOOLS.
    """
    clone, bin = tmp_path / "a clone", tmp_path / "bin"
    (clone / "scripts").mkdir(parents=True)
    bin.mkdir()
    for name in ("Makefile", "scripts/toolbox.sh", "scripts/toolbox.Dockerfile"):
        shutil.copy(ROOT / name, clone / name)
    for name in ("setup", "with-docker"):
        (clone / f"scripts/{name}.sh").write_text('#!/bin/sh\necho "natively: $*"\n')
        (clone / f"scripts/{name}.sh").chmod(0o755)
    (bin / "docker").write_text(DOCKER.replace("/usr/bin/env python3", sys.executable))
    (bin / "docker").chmod(0o755)
    for tool in TOOLS:
        (bin / tool).symlink_to(shutil.which(tool) or "")

    def make(
        *arguments: str,
        system: str = "debian 12",
        tools: tuple[str, ...] = ("bash", "python3", "apt-get", "sudo"),
        environment: dict[str, str] | None = None,
        **engine: object,
    ) -> subprocess.CompletedProcess[str]:
        for tool in tools:
            (bin / tool).unlink(missing_ok=True)
            (bin / tool).symlink_to("/bin/true")
        name, _, version = system.partition(" ")
        (tmp_path / "os-release").write_text(f'ID={name}\nVERSION_ID="{version}"\n')
        (bin / "engine").write_text(json.dumps(ENGINE | engine))
        (bin / "calls").unlink(missing_ok=True)
        return subprocess.run(
            [shutil.which("make") or "", "--no-print-directory", *arguments],
            cwd=clone,
            env={
                "PATH": str(bin),
                "OS_RELEASE": str(tmp_path / "os-release"),
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return make


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[str], list[list[str]]]:
    """Return the arguments of each call of a docker command."""

    def calls(command: str) -> list[list[str]]:
        file = tmp_path / "bin/calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [arguments for arguments, _ in map(json.loads, lines) if arguments[0] == command]

    return calls


Calls = Callable[[str], list[list[str]]]


@pytest.mark.parametrize("system", ["debian 12", "debian 13"])
def test_debian_runs_make_natively_without_a_word(make: Make, calls: Calls, system: str) -> None:
    done = make("status", system=system)
    assert "natively: .venv/bin/python -m local status" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert not calls("run")


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"system": "debian 11"}, "this is debian 11, not Debian 12 or 13"),
        ({"system": "ubuntu 24.04"}, "this is ubuntu 24.04, not Debian 12 or 13"),
        ({"system": "fedora 42"}, "this is fedora 42, not Debian 12 or 13"),
        ({"tools": ("python3", "apt-get", "sudo")}, "no bash is installed"),
        ({"tools": ("bash", "apt-get", "sudo")}, "no python3 is installed"),
        ({"tools": ("bash", "python3", "sudo")}, "no apt-get is installed"),
        ({"name": "docker-desktop"}, "the Docker engine runs on docker-desktop"),
        ({"endpoint": "unix:///run/other.sock"}, "docker's context is unix:///run/other.sock"),
        ({"environment": {"TOOLBOX": "1"}}, "TOOLBOX=1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_machine_that_lacks_something_runs_make_in_the_toolbox_and_says_why(
    make: Make, calls: Calls, machine: dict[str, object], reason: str
) -> None:
    done = make("status", **machine)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"  in the toolbox: {reason}\n"
    (arguments,) = calls("run")
    assert arguments[-1] == "status"


def test_a_machine_without_an_os_release_runs_make_in_the_toolbox(make: Make) -> None:
    done = make("status", environment={"OS_RELEASE": "/nowhere"})
    assert done.stderr == f"  in the toolbox: this is {os.uname().sysname}, not Debian 12 or 13\n"


def test_toolbox_0_forbids_it_in_one_line(make: Make, calls: Calls) -> None:
    done = make("status", "TOOLBOX=0", system="fedora 42")
    assert done.stderr == "  on this machine: TOOLBOX=0\n"
    assert "natively: " in done.stdout
    assert done.returncode == 0


def test_make_in_the_toolbox_runs_natively(make: Make) -> None:
    done = make("status", system="fedora 42", environment={"TOOLBOX": "inside"})
    assert "natively: " in done.stdout
    assert done.stderr == ""


def test_another_value_of_toolbox_is_refused(make: Make) -> None:
    done = make("status", "TOOLBOX=yes;touch x")
    assert done.returncode == 2
    assert "TOOLBOX=1 runs make in the toolbox, TOOLBOX=0 on this machine" in done.stderr


# Some clients succeed without an engine, and print nothing.
@pytest.mark.parametrize("engine", [{"down": True}, {"name": ""}], ids=["fails", "succeeds"])
def test_debian_without_an_engine_runs_make_natively_because_that_installs_one(
    make: Make, engine: dict[str, object]
) -> None:
    assert "natively: " in make("status", **engine).stdout


def test_help_needs_no_engine(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bin/awk").symlink_to(shutil.which("awk") or "")
    done = make("help", system="fedora 42", down=True)
    assert "make up " in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_one_container_runs_all_goals(make: Make, calls: Calls) -> None:
    make("lint", "unit", system="fedora 42")
    (arguments,) = calls("run")
    assert arguments[-4:] == ["HOST=", "COMMAND=", "lint", "unit"]


def test_names_of_drills_reach_the_toolbox(make: Make, calls: Calls) -> None:
    done = make("drill", "host-dies", "burst", system="fedora 42")
    assert calls("run")[0][-3:] == ["drill", "host-dies", "burst"]
    assert done.stderr == "  in the toolbox: this is fedora 42, not Debian 12 or 13\n"


@pytest.mark.parametrize("value", [";touch x", "$(touch x)", "`touch x`", "a 'b' \"c\" $HOME *"])
def test_a_value_reaches_the_toolbox_as_it_was_written_and_no_shell(
    make: Make, calls: Calls, tmp_path: Path, value: str
) -> None:
    make("shell", f"CONFIG={value}", f"COMMAND={value.replace('$', '$$')}", system="fedora 42")
    (arguments,) = calls("run")
    assert f"COMMAND={value.replace('$', '$$')}" in arguments
    assert arguments[arguments.index("CONFIG") - 1] == "--env"
    lines = (tmp_path / "bin/calls").read_text().splitlines()
    assert json.loads(lines[-1])[1] == {"CONFIG": value}
    assert not (tmp_path / "a clone/x").exists()


def test_each_variable_of_the_makefile_reaches_the_toolbox(make: Make, calls: Calls) -> None:
    make("status", system="fedora 42")
    (arguments,) = calls("run")
    passed = {name for flag, name in pairwise(arguments) if flag == "--env"}
    others = {"HOST", "COMMAND"}  # only make's command line sets these
    assert {*VARIABLES.split(), "TIMESERVICE_INSTALL_SECONDS", "all_proxy"} - others <= passed


def test_the_toolbox_has_the_clone_at_the_same_path_and_the_socket(
    make: Make, calls: Calls, tmp_path: Path
) -> None:
    make("status", system="fedora 42", endpoint="unix:///run/other.sock")
    (arguments,) = calls("run")
    clone = tmp_path / "a clone"
    assert f'type=bind,"source={clone}","target={clone}"' in arguments
    assert "type=bind,source=/run/other.sock,target=/var/run/docker.sock" in arguments


@pytest.mark.parametrize(
    ("engine", "host"),
    [
        ({"operating_system": "Docker Desktop", "endpoint": "unix:///home/me/engine.sock"}, ""),
        ({}, "tcp://127.0.0.1:2375"),
        ({}, "tcp://localhost:2375"),
    ],
)
def test_the_engine_of_a_virtual_machine_has_its_socket_at_the_usual_path(
    make: Make, calls: Calls, engine: dict[str, object], host: str
) -> None:
    make("status", name="another", environment={"DOCKER_HOST": host} if host else {}, **engine)
    mount = "type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock"
    assert mount in calls("run")[0]


@pytest.mark.parametrize("host", ["ssh://me@10.0.0.1", "tcp://10.0.0.1:2375"])
def test_an_engine_of_another_machine_is_refused(make: Make, calls: Calls, host: str) -> None:
    done = make("status", name="elsewhere", environment={"DOCKER_HOST": host})
    assert done.returncode == 2
    assert f"the Docker engine is at {host}, and this clone is not" in done.stderr
    assert "unset DOCKER_HOST" in done.stderr
    assert not calls("run")


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ({"down": True}, "make needs a Docker engine here: this is fedora 42"),
        ({"down": True}, "permission denied"),
        ({"security": "[name=rootless]"}, "this engine is rootless"),
        ({"image": 1, "build": 1}, "needs the image debian:trixie-slim"),
        ({"run": 125}, "the engine cannot run the toolbox"),
    ],
)
def test_an_engine_that_cannot_run_the_toolbox_is_refused_with_a_remedy(
    make: Make, engine: dict[str, object], message: str
) -> None:
    done = make("status", system="fedora 42", **engine)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("goal", ["preflight", "repair", "destroy", "reach", "drift", "leftovers"])
def test_a_command_on_aws_needs_no_toolbox(make: Make, calls: Calls, goal: str) -> None:
    """It needs this machine's AWS profile, and some of them its pulumi CLI."""
    done = make(goal, "STACK=prod", system="fedora 42")
    assert "natively:" in done.stdout
    assert "in the toolbox" not in done.stderr
    assert not calls("run")
    for arguments in (("STACK=local",), ("STACK=prod", "TOOLBOX=1")):
        make(goal, *arguments, system="fedora 42")
        assert len(calls("run")) == 1


def test_the_toolbox_has_python_packages_of_its_own(
    make: Make, calls: Calls, tmp_path: Path
) -> None:
    """Pulumi uses this machine's Python, which must not lose its packages to another."""
    make("status", system="fedora 42")
    clone = tmp_path / "a clone"
    mount = f'type=bind,"source={clone}/build/toolbox-venv","target={clone}/.venv"'
    assert mount in calls("run")[0]
    assert (clone / "build/toolbox-venv").is_dir()


def test_cloud_is_refused_where_the_pulumi_cli_does_not_reach_containers(
    make: Make, calls: Calls
) -> None:
    desktop = {"name": "docker-desktop", "operating_system": "Docker Desktop"}
    done = make("cloud", **desktop)
    assert done.returncode == 2
    assert "which this machine does not reach on docker-desktop. Use a Linux machine" in done.stderr
    assert not calls("run")
    for goal, engine in (("up", desktop), ("cloud", {})):
        make(goal, system="fedora 42", **engine)
        assert len(calls("run")) == 1


@pytest.mark.parametrize("code", [1, 2, 3])
def test_the_exit_code_of_the_toolbox_is_passed_on(make: Make, tmp_path: Path, code: int) -> None:
    make("status", system="fedora 42", run=code)
    done = subprocess.run(
        [tmp_path / "a clone/scripts/toolbox.sh", "run"],
        env={"PATH": str(tmp_path / "bin"), "GOALS": "status", "REASON": "a test"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code


def test_busybox_is_enough_outside_of_the_toolbox(make: Make, calls: Calls, tmp_path: Path) -> None:
    make("status", system="fedora 42")
    busybox, bin = find_file("busybox-static", "**/bin/busybox"), tmp_path / "bin"
    for tool in TOOLS:
        (bin / tool).unlink()
        (bin / tool).symlink_to(busybox)
    (bin / "calls").unlink()
    done = subprocess.run(
        [bin / "sh", "scripts/toolbox.sh", "run"],
        cwd=tmp_path / "a clone",
        env={"PATH": str(bin), "GOALS": "status", "REASON": "a test"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "  in the toolbox: a test\n")
    assert calls("run")[0][-1] == "status"


def test_an_interrupted_toolbox_interrupts_make(make: Make) -> None:
    assert make("status", system="fedora 42", run=130).returncode == -signal.SIGINT


def test_nothing_of_a_run_is_left(make: Make, calls: Calls, tmp_path: Path) -> None:
    make("status", system="fedora 42", run=1)
    # The packages of the toolbox are for the next run.
    assert [path.name for path in (tmp_path / "a clone/build").iterdir()] == ["toolbox-venv"]
    (arguments,) = calls("run")
    name = arguments[arguments.index("--name") + 1]
    assert calls("rm") == [["rm", "--force", name]]


def test_the_image_is_made_once_through_the_proxies(make: Make, calls: Calls) -> None:
    proxy = {"http_proxy": "http://127.0.0.1:3128"}
    make("status", system="fedora 42", image=1, environment=proxy)
    (build,) = calls("build")
    assert build[build.index("http_proxy") - 1] == "--build-arg"
    (run,) = calls("run")
    assert run[run.index("http_proxy") - 1] == "--env"
    assert build[build.index("--tag") + 1] in run
    make("status", system="fedora 42")
    assert not calls("build")


def test_the_certificates_of_this_machine_are_handed_over(make: Make, tmp_path: Path) -> None:
    bundle = tmp_path / "company.crt"
    bundle.write_text("a company's\n")
    stub = tmp_path / "bin/docker"
    stub.write_text(stub.read_text() + "        print(Path(arguments[-4]).read_text())\n")
    stub.write_text(stub.read_text().replace('sys.exit(engine["run"])\n', "pass\n"))
    done = make("status", system="fedora 42", environment={"SSL_CERT_FILE": str(bundle)})
    assert "a company's" in done.stdout


def test_clean_removes_the_images_of_the_toolbox_alone(make: Make, calls: Calls) -> None:
    assert make("clean", system="fedora 42").returncode == 0
    listing, removal = calls("image")
    assert "label=timeservice.toolbox" in listing
    assert removal == ["image", "rm", "4711"]


def test_clean_needs_no_engine(make: Make) -> None:
    done = make("clean", system="fedora 42", down=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_makefile_has_no_syntax_newer_than_that_of_macos() -> None:
    newer = r"\.ONESHELL|!=|\$\(file|::=|:::=|^undefine|^private|^load |\$\(let"
    assert not re.findall(newer, (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_make_needs_no_shell_but_sh() -> None:
    assert "SHELL" not in re.sub("SHELLOPTS", "", (ROOT / "Makefile").read_text())


def test_the_outer_part_runs_under_dash_and_has_no_bashism() -> None:
    script = ROOT / "scripts/toolbox.sh"
    assert script.read_text().startswith("#!/bin/sh\n")
    shellcheck = ROOT / ".venv/bin/shellcheck"
    subprocess.run([shellcheck, "--shell=sh", script], check=True)


@pytest.mark.integration
def test_the_packages_of_the_toolbox_can_be_installed_on_arm64(tmp_path: Path) -> None:
    """apt resolves them from Debian's lists for arm64, as for a machine without packages."""
    dockerfile = (ROOT / "scripts/toolbox.Dockerfile").read_text().replace("\\\n", "")
    (words,) = re.findall(r"--no-install-recommends ([^|]+)", dockerfile)
    packages = words.split()
    (tmp_path / "list").write_text("".join(f"{name} 0\n" for name in packages))
    # The script fetches the lists, and prints the version of each package that Debian has.
    script = str(ROOT / "scripts/debian.sh")
    command = [script, "--newer", "arm64", str(tmp_path / "list")]
    newer = subprocess.run(command, capture_output=True, text=True)
    if newer.returncode:
        pytest.skip(f"Debian does not answer: {newer.stderr.splitlines()[-1]}")
    assert {line.split()[0] for line in newer.stdout.splitlines()} == set(packages)
    folder, status = ROOT / "build/apt-arm64", tmp_path / "status"
    status.touch()
    options = {
        "Dir::State": folder,
        "Dir::Cache": folder,
        "Dir::State::Status": status,
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
    }
    settings = [f"--option={name}={value}" for name, value in options.items()]
    command = ["apt-get", *settings, "--simulate", "--no-install-recommends", "install", *packages]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "arm64" in done.stdout
    installed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ")}
    assert set(packages) <= installed
