"""The timer, the service and the cron job: systemd and cron accept them, and they work."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.healthcheck_servers import ntp, time_service, web
from tests.support.tools import find_file, systemd_analyze
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
SCHEDULES = ROOT / "healthcheck" / "schedules"
SERVICE, TIMER = "timeservice-healthcheck.service", "timeservice-healthcheck.timer"
CRON_JOB = (SCHEDULES / "timeservice-healthcheck.cron").read_text()
COMMAND = "/usr/local/bin/healthcheck"
TEXTFILES = "/var/lib/prometheus/node-exporter"


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        umask=0o022,  # systemd's and cron's
    )


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


# systemd


class Machine:
    """A root directory that the units are installed in."""

    def __init__(self, root: Path) -> None:
        self.root, self.units = root, root / "etc/systemd/system"
        program(root / COMMAND[1:], "exit 0")
        self.units.mkdir(parents=True)
        for unit in (SERVICE, TIMER):
            self.install(unit, (SCHEDULES / unit).read_text())
        self.install("sysinit.target", "[Unit]\n")  # all units need this one

    def install(self, unit: str, text: str) -> None:
        path = self.units / unit
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)  # systemd warns of units that others may write

    def analyze(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        verb, *rest = arguments
        return run(*systemd_analyze(), verb, f"--root={self.root}", *rest)

    def remarks(self) -> str:
        """Return systemd's remarks on the units; its status is 0 even if it ignores half of a
        unit."""
        done = self.analyze("verify", SERVICE, TIMER)
        return done.stdout + done.stderr or f"status {done.returncode}" * bool(done.returncode)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


@pytest.fixture
def prometheus(machine: Machine) -> None:
    """The drop-in is installed as well."""
    machine.install(f"{SERVICE}.d/prometheus.conf", (SCHEDULES / "prometheus.conf").read_text())


def test_systemd_has_nothing_to_say_about_the_units(machine: Machine) -> None:
    assert machine.remarks() == ""


@pytest.mark.usefixtures("prometheus")
def test_nor_about_the_drop_in_for_prometheus(machine: Machine) -> None:
    assert machine.remarks() == ""


@pytest.mark.parametrize(
    ("unit", "right", "wrong", "remark"),
    [
        (SERVICE, "ProtectClock=", "ProtectClocks=", "Unknown key"),
        (SERVICE, "ProtectClock=yes", "ProtectClock=perhaps", "perhaps"),
        (SERVICE, COMMAND, f"{COMMAND}s", "not executable"),
        (TIMER, "OnCalendar=minutely", "OnCalendar=each minute", "each minute"),
        (TIMER, "[Timer]", "[Timers]", "Unknown section"),
    ],
)
def test_systemd_would_notice_a_mistake(
    machine: Machine, unit: str, right: str, wrong: str, remark: str
) -> None:
    text = (SCHEDULES / unit).read_text()
    assert right in text
    machine.install(unit, text.replace(right, wrong))
    assert remark in machine.remarks()


def exposure(machine: Machine) -> float:
    """Return systemd's exposure of the service, from 0 (closed) to 10 (open)."""
    done = machine.analyze("security", "--offline=true", "--no-pager", SERVICE)
    found = re.search(rf"exposure level for {re.escape(SERVICE)}: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


# systemd 252 finds 1.2, and 257 finds 1.1. Access to IP counts 0.8 of that (PrivateNetwork,
# AF_INET), and to any address, which the URL may name, 0.2 (IPAddressDeny). systemd's own "OK" ends
# at 4.9.
MOST_EXPOSURE = 1.2


def test_the_service_is_shut_in_but_for_the_network(machine: Machine) -> None:
    assert exposure(machine) <= MOST_EXPOSURE


@pytest.mark.usefixtures("prometheus")
def test_for_prometheus_it_is_open_by_one_group_more(machine: Machine) -> None:
    assert exposure(machine) <= MOST_EXPOSURE + 0.1


@pytest.mark.parametrize(
    "setting", ["DynamicUser", "SystemCallFilter", "CapabilityBoundingSet", "RestrictNamespaces"]
)
def test_a_sandbox_with_a_hole_is_noticed(machine: Machine, setting: str) -> None:
    text = (SCHEDULES / SERVICE).read_text()
    machine.install(SERVICE, re.sub(rf"^{setting}=.*\n", "", text, flags=re.MULTILINE))
    assert exposure(machine) > MOST_EXPOSURE


# Here the commands themselves run.


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with the real `healthcheck`, which asks this test's NTP server; `sleep` is quick."""
    with ntp() as server:
        ours = shlex.join([sys.executable, "-m", "healthcheck", "--ntp", server.name])
        program(tmp_path / "bin/healthcheck", f'exec {ours} "$@"')
        program(tmp_path / "bin/sleep", f'echo "$@" >> {tmp_path}/slept')
        yield tmp_path


def exec_start(unit: str, folder: Path) -> list[str]:
    """The command of a unit, which has no more than one; with the paths in `folder`."""
    lines = re.findall("^ExecStart=(.+)$", (SCHEDULES / unit).read_text(), re.MULTILINE)
    (line,) = lines
    assert not set("$%\\") & set(line), "systemd would replace something"
    replaced = line.replace(COMMAND, f"{folder}/bin/healthcheck").replace(TEXTFILES, str(folder))
    return shlex.split(replaced)


@pytest.mark.parametrize(("error", "status", "word"), [(0.0, 0, "OK"), (3.0, 2, "Failed")])
def test_the_service_tells_the_journal_and_fails_with_the_time_service(
    folder: Path, error: float, status: int, word: str
) -> None:
    with web(time_service(error)) as server:
        done = run(*exec_start(SERVICE, folder), TIMESERVICE_URL=server.url)
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout.startswith(f"{word}: ")


@pytest.mark.parametrize(("error", "status"), [(0.0, 0), (3.0, 2)])
def test_with_the_drop_in_it_tells_prometheus_by_a_file_that_others_may_read(
    folder: Path, error: float, status: int
) -> None:
    with web(time_service(error)) as server:
        done = run(*exec_start("prometheus.conf", folder), TIMESERVICE_URL=server.url)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
    (file,) = folder.glob("*.prom")
    assert file.stat().st_mode & 0o777 == 0o644
    families = text_string_to_metric_families(file.read_text())
    values = {family.name: family.samples[0].value for family in families}
    assert values["timeservice_healthcheck_success"] == (status == 0)
    offset, bound = (
        values[f"timeservice_healthcheck_{name}_seconds"] for name in ("offset", "bound")
    )
    assert abs(offset - error) <= bound + 1e-5


# cron


class CronJob:
    """A file of /etc/cron.d: variables, and one line with a schedule, a user and a command."""

    def __init__(self, text: str) -> None:
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        *assignments, job = lines
        self.variables = dict(line.split("=", 1) for line in assignments)
        *schedule, self.user, self.command = job.split(maxsplit=6)
        self.schedule = " ".join(schedule)

    def users(self) -> str:
        """The same as a user's own crontab, where no line names a user."""
        assignments = [f"{name}={value}" for name, value in self.variables.items()]
        return "\n".join([*assignments, f"{self.schedule} {self.command}", ""])

    def run(self, folder: Path, url: str) -> subprocess.CompletedProcess[str]:
        """Run the job as cron does, for a service that responds."""
        path = f"{folder}/bin:{self.variables['PATH']}"
        variables = self.variables | {"TIMESERVICE_URL": url, "PATH": path}
        return run(self.variables["SHELL"], "-c", self.command, **variables)


def remarks_of_cron(crontab: str, root: Path) -> str:
    """The remarks of Debian's cron on a user's crontab, parsed under another root directory."""
    for name in ("etc", "var/spool/cron/crontabs"):
        (root / name).mkdir(parents=True)
    (root / "etc/passwd").write_text(f"me:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n")
    (root / "etc/group").write_text(f"crontab:x:{os.getgid()}:\n")
    (root / "job").write_text(crontab)
    fake = find_file("libfakechroot", "usr/lib/*/fakechroot/libfakechroot.so")
    command = find_file("cron", "usr/bin/crontab")
    done = run(command, "-n", "/job", LD_PRELOAD=str(fake), FAKECHROOT_BASE=str(root))
    if done.returncode == 0:
        assert "successfully checked" in done.stderr  # not installed, and not ignored
        return ""
    return done.stderr


def test_cron_has_nothing_to_say_about_the_job(tmp_path: Path) -> None:
    assert remarks_of_cron(CronJob(CRON_JOB).users(), tmp_path) == ""


@pytest.mark.parametrize(
    ("right", "wrong"), [("* * * * *", "60 * * * *"), ("* * * * *", "* * * *"), ("HOME=", "HOME ")]
)
def test_cron_would_notice_a_mistake(tmp_path: Path, right: str, wrong: str) -> None:
    crontab = CronJob(CRON_JOB).users()
    assert right in crontab
    assert "bad " in remarks_of_cron(crontab.replace(right, wrong), tmp_path)


def test_the_job_runs_each_minute_as_nobody_and_has_nothing_that_cron_would_replace() -> None:
    job = CronJob(CRON_JOB)
    assert (job.schedule, job.user) == ("* * * * *", "nobody")
    assert "%" not in job.command
    assert CRON_JOB.endswith("\n")


def test_the_job_is_silent_while_the_service_is_ok(folder: Path) -> None:
    with web(time_service()) as server:
        done = CronJob(CRON_JOB).run(folder, server.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert 0 <= int((folder / "slept").read_text()) <= 40


def test_the_job_tells_a_verdict_that_somebody_should_hear(folder: Path) -> None:
    with web(time_service(3)) as server:
        done = CronJob(CRON_JOB).run(folder, server.url)
    assert re.match(r"Failed: http://\S+/now: host i-1 is [23]\.\d\d s fast ", done.stdout)
    assert done.stdout.count("\n") == 1


def test_the_job_tells_what_is_wrong_with_itself(folder: Path) -> None:
    assert "the URL is not valid" in CronJob(CRON_JOB).run(folder, "ftp://example.org").stdout
