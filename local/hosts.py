"""make shell, and which host a word means: by zone (a), number, instance id or container id."""

import os
import sys
from typing import NamedTuple, NoReturn

from docker.models.containers import Container

from deployment.errors import UserError
from local.containers import Containers

WELCOME = """{instance} in {zone}: a container with its own Docker engine, like an EC2 instance.
The service's container has no shell: docker ps, docker logs timeservice.
The clock: chronyc tracking.
"""


class Host(NamedTuple):
    """A host's container. number: from 1, in the order of zones."""

    number: int
    instance: str
    zone: str
    container: Container

    def __str__(self) -> str:
        text = f"{self.number:<8}{self.zone[-1]:<6}{self.instance}"
        if self.container.status != "running":
            text += f", {self.container.status}"
        return text

    def is_called(self, word: str) -> bool:
        """Return whether the word is its number or zone, or how one of its ids begins."""
        if word in (str(self.number), self.zone[-1], self.zone):
            return True
        ids = (self.instance, self.instance.removeprefix("i-"), str(self.container.id))
        return len(word) > 1 and any(id_.startswith(word) for id_ in ids)


def list_hosts(cloud: Containers) -> list[Host]:
    """Return all hosts, also those that have ended but still exist."""
    return [
        Host(
            number,
            machine.labels["timeservice.instance"],
            machine.labels["timeservice.zone"],
            machine,
        )
        for number, machine in enumerate(cloud.machines(), 1)
    ]


def find_hosts(cloud: Containers, word: str, command: str) -> list[Host]:
    """Return the hosts that the word means, one at least.

    command: the target of make, for the message of the UserError that lists the hosts.
    """
    hosts = list_hosts(cloud)
    matches = [host for host in hosts if host.is_called(word)]
    if matches:
        return matches
    raise _refusal(f"no host is called {word!r}" if word else "say which host", hosts, command)


def find_host(cloud: Containers, word: str, command: str) -> Host:
    """Return the one host that the word means. Raises UserError as find_hosts does."""
    hosts = find_hosts(cloud, word, command)
    if len(hosts) > 1:
        raise _refusal(f"{len(hosts)} hosts are called {word!r}", hosts, command)
    return hosts[0]


def _refusal(complaint: str, hosts: list[Host], command: str) -> UserError:
    if not hosts:
        return UserError("there are no hosts; `make status` shows what there is")
    table = "\n  ".join(["number, zone, instance id", *map(str, hosts)])
    example = f"make {command} HOST={hosts[0].instance}"
    return UserError(f"{complaint}; there are\n  {table}\nSuch as: {example}")


def shell(cloud: Containers, word: str, command: str) -> NoReturn:
    """Replace this process by a shell on the host, or by the command if there is one."""
    cloud.check_up()
    host = find_host(cloud, word, "shell")
    if host.container.status != "running":
        raise UserError(
            f"{host.instance} does not run ({host.container.status}); "
            f"make logs HOST={host.instance}"
        )
    options = []
    if not command and sys.stdin.isatty():
        print(WELCOME.format(instance=host.instance, zone=host.zone), flush=True)
        options = ["--tty"]
    bash = ["bash", "-c", command] if command else ["bash"]
    name = str(host.container.name)
    os.execvp("docker", ["docker", "exec", "--interactive", *options, name, *bash])
