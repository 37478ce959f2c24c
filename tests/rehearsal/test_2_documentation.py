"""The commands of the documentation print what the documentation shows."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator

import docker
import pytest

from drills.clone import Clone
from tests.rehearsal.cloud import NAME
from tests.rehearsal.documents import IMAGE, expect_output, start
from tests.support.documented import Command, list_all_commands
from tests.support.documented_runs import find_other_test, needs_systemd
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.rehearsal

HERE = [
    command
    for command in list_all_commands()
    if not command.aws
    and command.file != "docs/tutorial.md"
    and not find_other_test(command)
    and not needs_systemd(command)
]
GOES_ON = re.compile(r"--every|--follow|FOLLOW=")  # until it is stopped


@pytest.fixture(scope="module", autouse=True)
def images(engine: docker.DockerClient) -> Iterator[None]:
    yield
    for container in engine.containers.list(all=True, filters={"name": IMAGE}):
        container.remove(force=True)
    for image in engine.images.list(IMAGE):
        engine.images.remove(str(image.id), force=True)


@pytest.mark.parametrize("command", HERE, ids=lambda command: command.id)
def test_a_command_works_and_prints_what_stands_there(clone: Clone, command: Command) -> None:
    running = start(command.text, clone)
    assert running.stdout
    if GOES_ON.search(command.text) and "--detach" not in command.text:
        late = threading.Timer(PATIENCE, os.killpg, (running.pid, signal.SIGKILL))
        late.start()
        first = running.stdout.readline()
        late.cancel()
        os.killpg(running.pid, signal.SIGINT)
        rest, _ = running.communicate(timeout=PATIENCE)
        assert first.strip(), rest
        assert running.returncode in (0, 130, -signal.SIGINT)
        return
    output, _ = running.communicate(timeout=600)
    assert running.returncode == 0, output
    if command.text != "make up":  # only the first make up prints that, and test_1_up ran it
        expect_output(command.output, output)


def test_the_first_up_said_what_stands_there(said: list[str]) -> None:
    (documented,) = (
        command.output for command in HERE if command.text == "make up" and command.output
    )
    expect_output(documented, said[0])


# sudo and systemd are replaced, because the test looks at what is installed where.
MACHINE = r"""
exec 2>&1
mkdir -p /shims /etc/systemd/system /etc/cron.d /var/lib/prometheus/node-exporter
printf '#!/bin/bash\nexec "$@"\n' > /shims/sudo
for tool in systemctl journalctl pipx; do
    printf '#!/bin/bash\necho "called: %s $*"\n' $tool > /shims/$tool
done
chmod 755 /shims/*
groupadd --system prometheus
export PATH=/shims:$PATH
set -eux
"""
LOOK = r"""
find /etc/systemd/system /etc/default /etc/cron.d -name 'timeservice*' -type f -printf '%m %p\n'
stat -c '%a %U:%G %n' /var/lib/prometheus/node-exporter
"""


def test_the_commands_for_a_machine_with_systemd_and_cron_install_and_remove_what_they_say(
    clone: Clone, engine: docker.DockerClient
) -> None:
    """They run in a Debian container. In tests/healthcheck/test_schedules.py systemd judges the
    units."""
    (api,) = engine.containers.list(filters={"name": f"{NAME}-api"})
    assert api.image
    commands = [command.text for command in list_all_commands() if needs_systemd(command)]
    words = ("disable", "rm -r", "--remove", "chown")
    removal = [text for text in commands if any(word in text for word in words)]
    installing = [text for text in commands if text not in removal]
    output = engine.containers.run(
        str(api.image.id),
        ["-c", "\n".join([MACHINE, *installing, LOOK, "echo removal", *removal, LOOK])],
        entrypoint=["bash"],
        network_mode="none",
        remove=True,
        working_dir="/clone",
        volumes={str(clone.folder): {"bind": "/clone", "mode": "ro"}},
    ).decode()
    print(output)
    installed, removed = output.split("\nremoval\n")
    for line in (
        "called: pipx install .",
        "called: systemctl enable --now timeservice-healthcheck.timer",
        "600 /etc/default/timeservice-healthcheck",
        "644 /etc/systemd/system/timeservice-healthcheck.service",
        "644 /etc/systemd/system/timeservice-healthcheck.timer",
        "2775 root:prometheus /var/lib/prometheus/node-exporter",
        "644 /etc/cron.d/timeservice-healthcheck",
    ):
        assert f"\n{line}\n" in installed
    assert "called: systemctl disable --now timeservice-healthcheck.timer" in removed
    assert "\n644 /etc/systemd" not in removed
    assert "\n600 /etc/default" not in removed
    assert "\n755 root:root /var/lib/prometheus/node-exporter\n" in removed
