"""make shell, and which host a word means: its zone (a), or the beginning of its instance id."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from docker.models.containers import Container

from deployment.errors import UserError
from local.containers import Containers, instance_of, zone_of


def find_hosts(cloud: Containers, word: str, parts: Sequence[str] = ()) -> list[Container]:
    """Return the hosts that the word means, one at least, also those that have ended.

    parts: what HOST= may be instead. Raises UserError, with all that HOST= may be.
    """
    machines = cloud.machines()
    hosts = [host for host in machines if _is_called(host, word)]
    if not hosts:
        raise UserError(f"no host is called {word!r}; {_format_hosts(machines, parts)}")
    return hosts


def _is_called(host: Container, word: str) -> bool:
    if word == zone_of(host)[-1]:
        return True
    return len(word) > 1 and instance_of(host).startswith(word)


def _format_hosts(hosts: list[Container], parts: Sequence[str] = ()) -> str:
    names = [f"{zone_of(host)[-1]} {instance_of(host)}" for host in hosts]
    words = ", ".join([*names, *parts])
    return f"HOST= is one of: {words}" if words else "there are no hosts"


def format_boots(cloud: Containers) -> str:
    """Return what each host that does not serve yet is doing: "a installing Docker, b ..."."""
    boots = []
    for host in cloud.machines():
        doing = find_step(host)
        if doing != "serving":
            boots.append(f"{zone_of(host)[-1]} {doing}")
    return ", ".join(boots)


def find_step(host: Container) -> str:
    """Return what the host has printed that it is doing, by its user data or its guard."""
    lines = host.logs(tail=100).decode(errors="replace").splitlines()
    steps = [line.removeprefix("step: ") for line in lines if line.startswith("step: ")]
    return steps[-1] if steps else "starting"


def shell(cloud: Containers, word: str, command: str) -> NoReturn:
    """Replace this process by a shell on the host, or by the command if there is one."""
    cloud.check_up()
    host, *others = find_hosts(cloud, word)
    if others:
        raise UserError(f"several hosts are called {word!r}; {_format_hosts([host, *others])}")
    if host.status != "running":
        raise UserError(f"{host.name} does not run ({host.status}); see make logs HOST={word}")
    options = ["--tty"] if not command and sys.stdin.isatty() else []
    bash = ["bash", "-c", command] if command else ["bash"]
    name = str(host.name)
    os.execvp("docker", ["docker", "exec", "--interactive", *options, name, *bash])
