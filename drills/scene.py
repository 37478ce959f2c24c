"""Where a drill plays: a deployment, a load on it, and what must hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drills import load, outcome
from drills.clone import Clone
from drills.deployed import Deployed
from drills.load import Request, Running
from drills.outcome import PAIR, Outcome, Seen
from drills.times import two_checks
from local.containers import Containers

RATE = 200.0  # requests per second, where a drill does not need another
REPLACEMENT = 60.0  # seconds within which a host's successor serves


class Scene(Deployed):
    """One drill's view of the deployment, and what it has to say of it."""

    def __init__(self, clone: Clone, cloud: Containers) -> None:
        super().__init__(clone, cloud)
        self.two_checks = two_checks(clone.folder)
        self.fault_at: float | None = None
        self.requests: list[Request] = []
        self.seen: list[Seen] = []
        self.alarms: list[str] = []
        self.broken: list[str] = []
        self.notes: list[str] = []

    def fault(self) -> None:
        """From now on it is broken."""
        self.fault_at = time.time()

    def hold(self, holds: bool, what: str) -> None:
        """what: what must hold, in words."""
        if not holds:
            self.broken.append(what)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def until(self, happened: Callable[[], bool], seconds: float, what: str) -> bool:
        """Wait until it has happened; if it does not within that time, `what` does not hold."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if happened():
                return True
            time.sleep(0.2)
        self.hold(False, f"{what} within {seconds:.0f} s")
        return False

    def until_two_healthy(
        self, seconds: float = REPLACEMENT, beside: set[str] | None = None
    ) -> None:
        """Wait for a healthy pair, and for nothing else to be there; `beside`: that is none of these instances."""

        def happened() -> bool:
            states = self.states()
            gone = not beside or beside.isdisjoint(states)
            return gone and list(states.values()) == ["healthy"] * PAIR

        self.until(happened, seconds, "two healthy hosts, and no other")

    def until_out(self, instance: str, seconds: float) -> None:
        """Wait until the balancer asks that host no more."""
        self.until(lambda: self.states().get(instance) != "healthy", seconds, "it is taken out")

    def none_failed(self) -> None:
        failed = outcome.failures(self.requests)
        self.hold(
            not failed,
            f"no request fails ({len(failed)} did: {outcome.trouble(failed[0])})" if failed else "",
        )

    def errors_end(self, seconds: float | None = None) -> None:
        """They end within that time; by default, within two health checks."""
        seconds = self.two_checks if seconds is None else seconds
        ended = outcome.errors_ended(self.requests, self.fault_at)
        self.hold(
            ended is None or ended <= seconds,
            f"errors end within {seconds:.0f} s (after {ended} s)",
        )

    def never_wrong(self, since: float = 0.0) -> None:
        """Nobody was told a time that is more than a second off."""
        worst = max((one.wrong for one in self.requests if one.due >= since), default=0.0)
        self.hold(worst <= 1.0, f"nobody sees a time more than 1 s wrong ({worst:.2f} s)")

    @contextmanager
    def load(self, rate: float) -> Iterator[Running]:
        """Ask for the time, `rate` times a second, while the block runs; then its requests are known."""
        running = None
        try:
            with load.running(f"{self.clone.url}/now", rate) as running:
                yield running
        finally:
            if running:
                self.requests += running.requests

    def outcome(self, name: str, what: str, began: float) -> Outcome:
        return Outcome(
            name=name,
            what=what,
            began=began,
            seconds=time.time() - began,
            fault_at=self.fault_at,
            requests=self.requests,
            seen=self.seen,
            alarms=self.alarms,
            broken=self.broken,
            notes=self.notes,
        )
