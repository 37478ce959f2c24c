"""make shell HOST: a shell on a host, or one command."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from deployment.errors import UserError
from local import hosts
from local.containers import Containers

WELCOME = """{instance} in {zone}: a container in the place of an EC2 instance, with a Docker engine of its own.
  docker ps                  the service's container, which has no shell: whoever breaks into it finds none either
  docker logs timeservice    what the service says; make logs HOST={instance} shows the boot as well
  chronyc tracking           the clock; curl http://127.0.0.1/health is what the balancer asks
"""


def shell(cloud: Containers, word: str, command: str) -> NoReturn:
    """Take this process's place. command: what to run instead of a shell."""
    cloud.refuse_if_not_up()
    host = hosts.chosen(cloud, word, "shell")
    name = str(host.container.name)
    if host.container.status != "running":
        raise UserError(
            f"{host.instance} does not run ({host.container.status}); make logs HOST={host.instance}"
        )
    if command:
        _become("docker", "exec", "--interactive", name, "bash", "-c", command)
    terminal = ["--tty"] if sys.stdin.isatty() else []
    if terminal:
        print(WELCOME.format(instance=host.instance, zone=host.zone), flush=True)
    _become("docker", "exec", "--interactive", *terminal, name, "bash")


def _become(*command: str) -> NoReturn:
    os.execvp(command[0], command)
