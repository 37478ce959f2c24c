"""Which host is meant: by its zone (a), its number, its instance id, its container's id, or how one of these begins."""

from __future__ import annotations

from typing import NamedTuple

from docker.models.containers import Container

from deployment.errors import UserError
from local.containers import Containers


class Host(NamedTuple):
    number: int  # from 1, in the order of zones
    instance: str
    zone: str
    container: Container

    def __str__(self) -> str:
        ended = "" if self.container.status == "running" else f", {self.container.status}"
        return f"{self.number:<8}{self.zone[-1]:<6}{self.instance}{ended}"

    def is_called(self, word: str) -> bool:
        if word in (str(self.number), self.zone[-1], self.zone):
            return True
        beginnings = (self.instance, self.instance.removeprefix("i-"), str(self.container.id))
        return len(word) > 1 and any(name.startswith(word) for name in beginnings)


def every(cloud: Containers) -> list[Host]:
    """Also those that have ended, and are not yet removed."""
    return [
        Host(number, one.labels["timeservice.instance"], one.labels["timeservice.zone"], one)
        for number, one in enumerate(cloud.machines(), 1)
    ]


def called(cloud: Containers, word: str, command: str) -> list[Host]:
    """At least one. Raises UserError that says which there are. command: the target of make that takes the word."""
    hosts = every(cloud)
    found = [host for host in hosts if host.is_called(word)]
    if not found:
        raise _unknown(f"no host is called {word!r}" if word else "say which host", hosts, command)
    return found


def chosen(cloud: Containers, word: str, command: str) -> Host:
    """As the last, for exactly one."""
    first, *others = called(cloud, word, command)
    if others:
        wrong = f"{len(others) + 1} hosts are called {word!r}"
        raise _unknown(wrong, [first, *others], command)
    return first


def _unknown(wrong: str, hosts: list[Host], command: str) -> UserError:
    if not hosts:
        return UserError("there are no hosts; `make status` shows what there is")
    there = "\n  ".join(["number, zone, instance id", *map(str, hosts)])
    return UserError(f"{wrong}; there are\n  {there}\nSuch as: make {command} {hosts[0].instance}")
