"""One check, from the URL to the verdict: measures until the verdict is proven, and no longer than the deadline."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from healthcheck import reference
from healthcheck.clock import steady
from healthcheck.failures import LATE
from healthcheck.reading import Reading, Reference, Sample, Trouble
from healthcheck.samples import Service
from healthcheck.verdict import LIMIT, MAX_TICK, Verdict, judge
from healthcheck.waiting import Bell, pause

SAMPLES = 8
DEADLINE = 10.0  # seconds
RETRY_AFTER = 0.3  # seconds, and as much jitter: not at the same moment as all other checks
RETRIED = {
    "dns",
    "proxy",
    "refused",
    "timeout",
    "tls",
    "unreachable",
}  # an answer, even a bad one, is not
MAX_PAUSE = 0.1  # seconds

AskReference = Callable[[float], Reference]  # its argument: how long it may take, in seconds


class Result(NamedTuple):
    """A verdict, what it rests on, and how long the parts took (in seconds). url: what was asked."""

    url: str
    verdict: Verdict
    reading: Reading
    limit: float
    phases: dict[str, float]
    checked_at: float  # seconds since 1970, by the checker's own clock


def check(
    url: str,
    ask_reference: AskReference,
    limit: float = LIMIT,
    samples: int = SAMPLES,
    deadline: float = DEADLINE,
    environment: bool = False,
) -> Result:
    """Check the service at `url`. Never raises for anything that the service or the network does.

    ask_reference: measures true time. limit, deadline: in seconds. samples: how many at most, two or more.
    environment: use the proxies that it names.
    """
    checked_at, start = time.time(), steady()
    run = _Run(url, limit, samples, start + deadline, environment)
    # In a thread of its own, because no timeout of the libraries covers an answer that drips or a DNS that hangs.
    # The servers get half of the time at most: that they are silent must not look like a late service.
    patience = min(reference.TIMEOUT, deadline / 2)
    with Bell() as bell:
        thread = threading.Thread(
            target=run.measure, args=(ask_reference, patience, bell), daemon=True
        )
        thread.start()
        late = not bell.heard(deadline)
    reading, phases = run.reading(), {**run.phases, "total": steady() - start}
    if late:
        if run.service:
            run.service.cut()
        if reading.trouble is None:
            reading = reading._replace(trouble=Trouble("timeout", LATE))
    if run.defect:
        verdict = Verdict("Unknown", "error", f"the check itself failed: {run.defect!a}", False)
    else:
        verdict = judge(reading, limit)
    return Result(url, verdict, reading, limit, phases, checked_at)


class _Run:
    """The state of one check, filled by a thread that is left behind if it hangs where it cannot be cut (the DNS)."""

    def __init__(
        self, url: str, limit: float, samples: int, deadline: float, environment: bool
    ) -> None:
        self.url, self.limit, self.most, self.deadline = url, limit, samples, deadline
        self.environment = environment
        self.service: Service | None = None
        self.reference: Reference | None = None
        self.samples: list[Sample] = []
        self.trouble: Trouble | None = None
        self.defect: Exception | None = None
        self.phases: dict[str, float] = {}

    def reading(self) -> Reading:
        return Reading(
            tuple(self.samples), self.reference or reference.own_clock("local"), self.trouble
        )

    def measure(self, ask_reference: AskReference, patience: float, bell: Bell) -> None:
        """Measure all that it takes; rings at the end."""
        start = steady()
        asking = threading.Thread(
            target=self._ask, args=(ask_reference, patience, start), daemon=True
        )
        # What is raised is ours, or says that there are no more threads or files: it belongs into the verdict.
        try:
            asking.start()
            self._sample_twice(asking, start)
            # Also if the service failed: whether anybody else answers tells its failure from one of our network.
            asking.join()
        except Exception as defect:
            self.defect = defect
        finally:
            bell.ring()

    def _ask(self, ask_reference: AskReference, patience: float, start: float) -> None:
        try:
            self.reference = ask_reference(patience)
        except Exception as defect:
            self.defect = defect
        self.phases["reference"] = steady() - start

    def _sample_twice(self, asking: threading.Thread, start: float) -> None:
        """Sample; if the connection fails, once more on a new one."""
        try:
            return self._sample(asking, start)
        except Trouble as trouble:
            self.trouble = trouble
            if trouble.reason not in RETRIED:
                return
        wait = RETRY_AFTER * (1 + random.random())
        if steady() + wait > self.deadline:
            return
        pause(wait)
        try:
            self._sample(asking, start)
        except Trouble as trouble:
            self.trouble = trouble
        else:
            self.trouble = None

    def _sample(self, asking: threading.Thread, start: float) -> None:
        self.service = Service(self.url, self.deadline, self.environment)
        with self.service as service:
            self.samples.append(service.sample())
            self.phases.setdefault("first_answer", steady() - start)
            asking.join()
            # Two at least: one answer cannot show a clock that stands still.
            while len(self.samples) < self.most and self._has_time_for_another():
                self._let_it_tick()
                self.samples.append(service.sample())
                verdict = judge(self.reading(), self.limit)
                if verdict.proven and (verdict.reason == "frozen" or not self._repeated()):
                    return

    def _has_time_for_another(self) -> bool:
        """Whether it would be over before the deadline, if it took as long as the longest; two are asked for anyway.

        That we ask a slow service often must not look as if it did not answer.
        """
        longest = max(one.arrived - one.sent for one in self.samples)
        return len(self.samples) < 2 or steady() + longest < self.deadline

    def _repeated(self) -> bool:
        """Whether the last time stated was stated before: a clock that stands, or one that ticks slowly."""
        *before, last = ((one.instance, one.stated.seconds) for one in self.samples)
        return last in before

    def _let_it_tick(self) -> None:
        """Wait until the clock must state another time than it last did, if that is soon."""
        wait = 2.5 * self.samples[-1].stated.resolution
        if wait <= MAX_PAUSE:
            pause(max(wait, MAX_TICK) if self._repeated() else wait)
