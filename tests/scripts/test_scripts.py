"""The shell scripts find or start an engine, report each step, and run one at a time in a clone."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_an_engine_that_answers_is_used_without_a_word(run: Run) -> None:
    done = run("scripts/engine.sh", docker="echo 1.41", dockerd="exit 1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("docker", "complaint"),
    [
        ("echo 1.40 Engine", "this Docker engine is too old (API 1.40): hosts need Docker 20.10"),
        ("echo 5.4 Podman Engine", "Podman responds here"),
        ('[ "$1" = info ] && echo name=rootless || echo 1.41', "this Docker engine is rootless"),
        (
            "echo 'Error: client version 1.52 is too new. Maximum is 1.41' >&2; exit 1",
            "do not fit: client version 1.52 is too new. Maximum is 1.41",
        ),
    ],
)
def test_an_engine_that_cannot_be_used_is_refused_and_none_is_installed(
    docker: str, complaint: str, run: Run
) -> None:
    done = run("scripts/engine.sh", docker=docker, dockerd="exit 1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("cp: write error: No space left on device", "A disk is full, this clone's or Docker's"),
        ("docker: no space left on device.", "A disk is full, this clone's or Docker's"),
        ("E: You don't have enough free space in /var/cache", "A disk is full, this clone's"),
        ("fetch: Disk quota exceeded", "A disk is full, this clone's or Docker's"),
        ("HTTP status client error (403 Forbidden) for url", "A server refuses"),
        ("ERROR: 401 Client Error: Unauthorized", "A server refuses"),
        ("Temporary failure resolving 'deb.debian.org'", "If it was the network, try again"),
        ("syntax error at line 403", "build/log\n"),
    ],
)
def test_a_step_that_fails_names_what_to_look_at(output: str, hint: str, run: Run) -> None:
    done = run(
        *source('work() { echo "$TEXT"; false; }; step it work'), environment={"TEXT": output}
    )
    assert done.returncode == 1
    assert hint in done.stderr


def test_a_disk_without_space_for_the_message_is_named(run: Run) -> None:
    work = source("work() { echo fetching; false; }; step it work")
    done = run(*work, df="printf 'Avail\n12\n'")
    assert "A disk is full, this clone's or Docker's" in done.stderr


def test_no_engine_is_installed_where_none_shall_be(run: Run) -> None:
    assert run("scripts/engine.sh", "--installed").returncode == 3


def test_where_no_engine_can_be_installed_it_says_what_to_do(run: Run) -> None:
    done = run("scripts/engine.sh")
    assert done.returncode == 1
    assert "Install Docker, start it, and try again" in done.stderr


def test_an_engine_elsewhere_that_does_not_answer_is_named_and_none_is_started_here(
    run: Run, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    done = run(
        "scripts/engine.sh",
        docker_host="tcp://10.0.0.1:2375",
        docker="exit 1",
        dockerd=f"echo > {started}",
    )
    assert done.returncode == 1
    assert "DOCKER_HOST is tcp://10.0.0.1:2375, and no engine responds there" in done.stderr
    assert not started.exists()


def source(code: str) -> list[str]:
    return ["bash", "-c", f"set -euo pipefail; source scripts/common.sh; {code}"]


def test_a_step_tells_its_time_and_keeps_its_output(run: Run, clone: Path) -> None:
    done = run(*source("step 'the step' echo said; echo next"))
    first, second = done.stdout.splitlines()
    assert first.startswith("  the step ")
    assert first.endswith(" s")
    assert second == "next"
    assert (clone / "build" / "log").read_text() == "said\n"


def test_a_step_that_fails_ends_the_script_and_shows_why(run: Run) -> None:
    done = run(
        *source("work() { echo before; false; echo after; }; step 'the step' work; echo next")
    )
    assert done.returncode == 1
    assert done.stdout.strip().endswith("failed")
    assert "before" in done.stderr
    assert "after" not in done.stderr + done.stdout
    assert '"the step" failed; the whole output is in build/log' in done.stderr
    assert "network" not in done.stderr


def test_a_step_that_fails_shows_its_own_output_alone_and_asks_for_the_network_if_that_was_it(
    run: Run,
) -> None:
    done = run(
        *source("work() { echo 'Could not connect'; false; }; step one echo mine; step two work")
    )
    assert "mine" not in done.stderr
    assert "If it was the network, try again" in done.stderr


@pytest.fixture
def wait_stub(clone: Path) -> str:
    """A flock that opens the clone's FIFO `go` before it waits: `read <go` ends at that moment."""
    os.mkfifo(clone / "go")
    return f'[ "$1" != --nonblock ] || {{ echo >go; exit 1; }}; exec {shutil.which("flock")} "$@"'


def test_two_scripts_of_a_clone_wait_for_each_other(run: Run, clone: Path, wait_stub: str) -> None:
    code = source("one_at_a_time; echo; read -r <go; touch first")
    with subprocess.Popen(code, cwd=clone, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()  # it has its turn
        # A script that the second one calls does not wait for it.
        nested = "bash -c 'source scripts/common.sh; one_at_a_time'"
        done = run(*source(f"one_at_a_time; [ -e first ]; {nested}; echo mine"), flock=wait_stub)
    assert done.stdout == "  waiting for another make in this clone\nmine\n"


def set_up(clone: Path) -> str:
    """Shell code that marks .venv as current."""
    (clone / "uv.lock").touch()
    return f"mkdir -p .venv/bin; ln -s {sys.executable} .venv/bin/python; touch $(find_stamp)"


def test_what_is_set_up_is_used_while_another_make_is_at_work(run: Run, clone: Path) -> None:
    assert run(*source(set_up(clone))).returncode == 0
    with (clone / "build" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("scripts/setup.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_another_make_set_up_meanwhile_is_not_set_up_again(
    run: Run, clone: Path, wait_stub: str
) -> None:
    """Without Python here, another set-up would fail."""
    code = source(f"one_at_a_time; echo; read -r <go; {set_up(clone)}")
    with subprocess.Popen(code, cwd=clone, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()  # it has its turn
        done = run("scripts/setup.sh", flock=wait_stub)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "  waiting for another make in this clone\n"


# This apt-get makes archives whose content is the package's name.
APT_GET = """
case "$*" in
download*) echo "$2" >"$2_1_amd64.deb" ;;
--simulate*systemd) printf 'Inst library (1)\nInst systemd (2)\nConf systemd (2)\n' ;;
--simulate*haproxy) printf 'Inst lua (1)\nInst haproxy (2)\nConf haproxy (2)\n' ;;
esac"""
DPKG = 'mkdir -p "$3"; mv "$2" "$3"'


def test_templates_are_mutated_although_a_fault_in_python_is_not_noticed(
    run: Run, clone: Path
) -> None:
    (clone / "uv.lock").touch()
    assert run(*source("mkdir build/mutation; touch build/mutation/$(digest uv.lock)")).stderr == ""
    commands = {"apt-get": APT_GET, "dpkg": DPKG}
    commands["nice"] = 'echo "$3"; [ "$3" != tests.support.mutate_python ]'
    done = run("scripts/mutation.sh", **commands)
    assert done.stdout.splitlines()[-2:] == [
        "tests.support.mutate_python",
        "tests.support.mutate_templates",
    ]
    assert done.returncode == 1


def test_a_script_without_root_and_sudo_says_so(run: Run) -> None:
    done = run(*source("as_root true"), id="echo 1000")
    assert done.returncode == 1
    assert "must run as root, and there is no sudo" in done.stderr


def test_what_tests_use_of_debian_s_is_unpacked_with_what_it_needs_and_only_once(
    run: Run, clone: Path
) -> None:
    done = run("scripts/tools.sh", "unit", **{"apt-get": APT_GET, "dpkg": DPKG})
    assert done.stdout.startswith("  Debian packages: ")
    archives = {str(path.relative_to(clone)) for path in clone.glob("build/debian/*/*.deb")}
    assert archives == {
        f"build/debian/{name}/{name}_1_amd64.deb"
        for name in (
            "busybox-static",
            "cron",
            "haproxy",
            "libfakechroot",
            "libfaketime",
            "library",
            "lua",
            "systemd",
        )
    }
    again = run("scripts/tools.sh", "unit", **{"apt-get": "exit 1"})
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_systemd_is_not_unpacked_where_the_machine_has_it(run: Run, clone: Path) -> None:
    stubs = {"apt-get": APT_GET, "dpkg": DPKG, "systemd-analyze": "exit 0"}
    assert run("scripts/tools.sh", "unit", **stubs).returncode == 0
    assert (clone / "build/debian/cron").exists()
    assert not (clone / "build/debian/systemd").exists()


@pytest.mark.parametrize("machine", ["has the library", "lacks the library"])
def test_lint_runs_a_node_js_whose_library_the_machine_may_lack(
    run: Run, clone: Path, machine: str
) -> None:
    node = clone / ".venv/lib/python3.13/site-packages/playwright/driver/node"
    node.parent.mkdir(parents=True)
    runs = "true" if machine == "has the library" else '[ -d "$LD_LIBRARY_PATH" ]'
    node.write_text(f"#!/bin/bash\n{runs} || exit 127\n")
    node.chmod(0o755)
    unpack = f'{DPKG}; mkdir -p "$3/usr/lib/x86_64-linux-gnu"'
    assert run("scripts/tools.sh", "node", **{"apt-get": APT_GET, "dpkg": unpack}).returncode == 0
    assert (clone / "build/debian/libatomic1").exists() == (machine == "lacks the library")
    linters = ("ruff", "mypy", "cfn-lint", "shellcheck", "check-jsonschema", "zizmor")
    done = run("scripts/lint.sh", **dict.fromkeys(linters, "exit 0"))
    assert "node: the page's script" in done.stdout
    assert done.returncode == 0, done.stderr


def test_a_package_that_was_unpacked_by_half_is_unpacked_again(run: Run, clone: Path) -> None:
    half = {"apt-get": APT_GET, "dpkg": 'mkdir "$3"; exit 1', "systemd-analyze": "exit 0"}
    assert run("scripts/tools.sh", "unit", **half).returncode == 1
    assert not (clone / "build/debian/cron").exists()
    assert run("scripts/tools.sh", "unit", **half | {"dpkg": DPKG}).returncode == 0


def test_two_jobs_that_need_the_same_package_unpack_it_once(run: Run, clone: Path) -> None:
    """Each job waits a moment before it downloads, so both would begin."""
    download = f"sleep 0.5; echo >>'{clone}/downloads'\n{APT_GET}"
    both = "unpack_deb cron & unpack_deb cron && wait $!"
    done = run(*source(both), **{"apt-get": download, "dpkg": DPKG})
    assert (done.returncode, done.stderr) == (0, "")
    assert (clone / "downloads").read_text() == "\n"
    assert (clone / "build/debian/cron/cron_1_amd64.deb").exists()


def test_where_no_package_can_be_had_it_names_what_is_missing(run: Run) -> None:
    done = run("scripts/tools.sh", "unit")
    assert done.returncode == 1
    assert "Run make with TOOLBOX=1" in done.stderr


def write_scripts(clone: Path, **bodies: str) -> None:
    for name in ("setup", "image", "package", "cloud"):
        (clone / f"scripts/{name}.sh").write_text(f"#!/bin/bash\n{bodies.get(name, '')}\n")


def test_what_does_not_need_each_other_is_built_side_by_side(run: Run, clone: Path) -> None:
    """Each of the two jobs waits until the other has begun."""
    os.mkfifo(clone / "image")
    os.mkfifo(clone / "cloud")
    write_scripts(clone, image="echo >image; read -r <cloud", cloud="read -r <image; echo >cloud")
    done = run("scripts/build.sh", id="echo 0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("failing", ["setup", "image", "package", "cloud"])
def test_when_a_build_fails_its_error_comes_last_and_the_other_is_finished(
    failing: str, run: Run, clone: Path
) -> None:
    step = "source scripts/common.sh; step"
    bodies = {
        "package": f"{step} package echo",
        "cloud": f"{step} cloud echo",
        failing: f"{step} {failing} ls /nowhere",
    }
    write_scripts(clone, **bodies)
    done = run("scripts/build.sh", id="echo 0", ls="echo no space; exit 1")
    assert done.returncode == 1
    assert f'"{failing}" failed; the whole output is in build/log' in done.stderr
    assert "no space" in done.stderr
    other = "package" if failing == "cloud" else "cloud"
    assert f"  {other} " in done.stdout


def test_ctrl_c_ends_all_that_is_built(run: Run, clone: Path, tmp_path: Path) -> None:
    os.mkfifo(clone / "begun")
    wait = "echo >begun; sleep 1000"
    write_scripts(clone, image=wait, cloud=f"source scripts/common.sh; step cloud bash -c '{wait}'")
    with (
        subprocess.Popen(
            "scripts/build.sh", cwd=clone, stdout=subprocess.PIPE, start_new_session=True
        ) as build,
        (clone / "begun").open() as begun,
    ):
        assert build.stdout
        assert len([begun.readline(), begun.readline()]) == 2
        os.killpg(build.pid, signal.SIGINT)
        build.stdout.read()  # until no process has the pipe
        assert build.wait() == 130


def test_progress_ends_with_its_script_although_nobody_waits_for_that(clone: Path) -> None:
    with subprocess.Popen(
        source("tick slow & echo; wait"), cwd=clone, stdout=subprocess.PIPE
    ) as script:
        assert script.stdout
        assert script.stdout.readline() == b"\n"
        script.kill()
        script.stdout.read()  # until no process has the pipe


SLOW = "step slow bash -c 'read -r <go'"
# This sleep returns at once, and its eleventh call ends the slow step.
SLEEP = 'echo >>calls; [ "$(wc -l <calls)" -lt 11 ] || { echo >go; exec /bin/sleep 1; }'


def test_a_slow_step_shows_every_ten_seconds_that_it_goes_on(run: Run, clone: Path) -> None:
    os.mkfifo(clone / "go")
    first, *_, last = run(*source(SLOW), sleep=SLEEP).stdout.splitlines()
    assert " ".join(first.split()) == "slow 10 s so far"
    assert last.endswith(" s")


def test_a_slow_step_counts_the_seconds_on_a_terminal(run: Run, clone: Path) -> None:
    os.mkfifo(clone / "go")
    terminal, end = os.openpty()
    run(*source(f"{SLOW} >/dev/fd/{end}"), sleep=SLEEP, pass_fds=[end])
    os.close(end)
    with open(terminal, "rb") as lines:
        printed = lines.readline().decode()
    assert [" ".join(text.split()) for text in printed.split("\r")[:2]] == ["slow 0 s", "slow 1 s"]
    assert printed.endswith(" s\r\n")


@pytest.mark.parametrize("failing", ["", "unit", "rehearsal", "integration"])
def test_the_rehearsal_runs_beside_the_unit_tests_and_the_integration_tests_follow(
    run: Run, failing: str
) -> None:
    meet = "touch {}; until [ -e {} ]; do sleep 0.1; done"
    make = f"""
    case $2 in
    rehearsal) {meet.format("left", "right")} ;;
    unit) {meet.format("right", "left")} ;;
    esac
    echo "$2"
    [ "$2" != "{failing}" ] || exit 2"""
    done = run("scripts/test.sh", make=make, id="echo 0")
    assert (done.returncode, done.stderr) == (2 if failing else 0, "")
    assert done.stdout.splitlines()[1:] == ["unit", "rehearsal", "integration"]


@pytest.mark.parametrize(("name", "status"), [("INT", 130), ("TERM", 143)])
def test_a_signal_ends_the_tests_with_its_own_status(run: Run, name: str, status: int) -> None:
    """The status of the rehearsal, which the signal ends as well, does not matter."""
    make = f"""
    case $2 in
    rehearsal) trap 'exit 2' INT TERM; until [ -e ended ]; do sleep 0.1; done; exit 2 ;;
    unit) touch ended; kill -{name} "$PPID" ;;
    esac"""
    assert run("scripts/test.sh", make=make, id="echo 0").returncode == status


def replace_mmdebstrap(clone: Path, body: str) -> None:
    tool = clone / "build/debian/mmdebstrap/usr/bin/mmdebstrap"
    tool.parent.mkdir(parents=True)
    tool.write_text(f"#!/bin/bash\n{body}\n")
    tool.chmod(0o755)


def test_mmdebstrap_inherits_no_file_that_its_caller_left_open(run: Run, clone: Path) -> None:
    """mmdebstrap's own file descriptor would be 10, which dash does not know."""
    replace_mmdebstrap(clone, "echo /proc/self/fd/*")
    stubs = {"apt-get": "exit 1", "apt-config": "", "unshare": "exit 1", "id": "echo 0"}
    leaks = " ".join(f"{number}</dev/null" for number in range(3, 9))
    done = run("bash", "-c", f"exec {leaks}; scripts/debian.sh made.tar", **stubs)
    assert done.returncode == 0, done.stderr
    numbers = {Path(name).name for name in (clone / "made.tar").read_text().split()}
    # The shell opens the folder itself as one more.
    assert len(numbers & set("345678")) == 1


def test_the_proxy_of_apt_is_mmdebstrap_s_too(run: Run, clone: Path) -> None:
    replace_mmdebstrap(clone, "printf '%s\\n' \"$@\"")
    config = '[ "$3" != Acquire::http::Proxy ] || echo "proxy=\'http://proxy:3142\'"'
    stubs = {"apt-get": "exit 1", "apt-config": config, "unshare": "exit 1", "id": "echo 0"}
    done = run("scripts/debian.sh", "made.tar", "--variant=extract", **stubs)
    assert done.returncode == 0, done.stderr
    options = (clone / "made.tar").read_text().splitlines()
    assert '--aptopt=Acquire::http::Proxy "http://proxy:3142"' in options
    assert [option for option in options if "https" in option] == []
