"""HAProxy itself, as the local balancer is set up, in front of a port of ours on loopback."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests

from local.cloud import balancer, balancer_config, endpoint
from local.cloud.cloud_api import Balancing
from tests.support import tools
from tests.support.balancing import balancing
from tests.support.waiting import PATIENCE, wait_until

ZONES = ("127.0.0.1",)


class Target(Protocol):
    """What a test knows of a host."""

    @property
    def address(self) -> str: ...

    @property
    def healthy(self) -> bool: ...


class Haproxy:
    """A HAProxy with the configuration of our templates, and the controller that drives it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.slots = balancer_config.SLOTS
        self.aws = balancing()
        self.aws = self.aws._replace(target_group={**self.aws.target_group, "Port": port})
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start HAProxy as balancer.sh does."""
        assert balancer.apply(self.aws, ZONES, self.slots) is False
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*tools.haproxy(), "-W", "-S", str(balancer.MASTER), "-f", str(balancer.CONFIG)],
                stdout=log,
                stderr=log,
            )
        self.apply()

    def apply(self) -> None:
        """Apply a configuration as the controller does: repeat until all of HAProxy's processes
        listen."""
        wait_until(self._takes_it)

    def _takes_it(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with suppress(OSError):
            return balancer.apply(self.aws, ZONES, self.slots)
        return False

    def stop(self) -> None:
        if self.process:
            self.process.kill()  # its workers notice, and end
            self.process.wait()
            self.process = None
        for path in [*self.folder.glob("*.sock"), *self.folder.glob("*.cfg")]:
            path.unlink()

    def change(self, **attributes: str) -> None:
        """Change attributes of the load balancer; `__` stands for a dot."""
        changed = {key.replace("__", "."): value for key, value in attributes.items()}
        self.aws = self.aws._replace(attributes=self.aws.attributes | changed)

    def check(self, *hosts: Target) -> None:
        """Register hosts, and wait for the verdict of their checks."""
        for host in hosts:
            balancer.register(host.address)
        wait_until(lambda: all(self.server(host).healthy is host.healthy for host in hosts))

    def server(self, host: Target) -> balancer.Server:
        return balancer.list_servers()[host.address]

    def get(self, path: str = "/now", **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=PATIENCE, **options)

    @property
    def url(self) -> str:
        return f"http://{balancer_config.LISTENER}"

    def answers(self, number: int = 6) -> set[str]:
        """Return which host responded to each of that many requests in a row."""
        return {self.get().text for _ in range(number)}


ASK = balancer._request


def ask(path: Path, text: str) -> str:
    """Wait for a reload with HAProxy 2.6 of Debian 12, which returns before it has reloaded."""
    before = worker() if text == "reload" else ""
    answer = ASK(path, text)
    if text == "reload" and not answer:
        wait_until(lambda: worker() not in ("", before))
        answer = "Success=1"
    return answer


def worker() -> str:
    """Return the process id of HAProxy's worker; "" while none responds."""
    with suppress(OSError):
        return ASK(balancer.ADMIN, "show info").partition("\nPid: ")[2].partition("\n")[0]
    return ""


@contextmanager
def prepare_haproxy(monkeypatch: pytest.MonkeyPatch, folder: Path, port: int) -> Iterator[Haproxy]:
    """Return a HAProxy that is not started, for hosts on that port, with its files in the
    folder."""
    for name in ("CONFIG", "APPLIED", "MASTER", "ADMIN"):
        monkeypatch.setattr(balancer, name, folder / getattr(balancer, name).name)
    monkeypatch.setattr(balancer_config, "RUN", folder)
    monkeypatch.setattr(balancer_config, "ENDPOINT", "http://127.0.0.1:1")
    with socket.socket() as first, socket.socket() as second:
        for free in (first, second):
            free.bind(("127.0.0.1", 0))
        listener = f"127.0.0.1:{first.getsockname()[1]}"
        monkeypatch.setattr(balancer_config, "LISTENER", listener)
        monkeypatch.setattr(endpoint, "PORT", second.getsockname()[1])

    def quick(aws: Balancing, *arguments: Any) -> str:
        text = balancer_config.configuration(aws, *arguments)
        assert "inter 5s" in text
        return text.replace("inter 5s", "inter 50ms")

    monkeypatch.setattr(balancer, "configuration", quick)
    monkeypatch.setattr(balancer, "_request", ask)
    haproxy = Haproxy(folder, port)
    try:
        yield haproxy
    finally:
        haproxy.stop()
