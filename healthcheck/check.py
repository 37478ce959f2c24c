"""One check, from the URL to the verdict: measures until the verdict is proven, and no longer than the deadline."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from healthcheck.reference import Reference, own_clock
from healthcheck.samples import Sample, Service, Trouble
from healthcheck.verdict import LIMIT, Verdict, judge

SAMPLES = 8
DEADLINE = 10.0  # seconds
RETRY_AFTER = (
    0.3  # seconds, and as much jitter: a check must not strike at the same moment as all others
)


class Result(NamedTuple):
    """A verdict, what it was measured against, and how long the parts took (in seconds)."""

    url: str
    verdict: Verdict
    reference: Reference
    samples: int
    limit: float
    phases: dict[str, float]
    checked_at: float  # seconds since 1970, by the checker's own clock


class _Run:
    """The state of one check, filled by a thread that may be left behind when it hangs."""

    def __init__(self, url: str, limit: float, samples: int, deadline: float) -> None:
        self.url, self.limit, self.most, self.deadline = url, limit, samples, deadline
        self.reference: Reference | None = None
        self.samples: list[Sample] = []
        self.trouble: Trouble | None = None
        self.phases: dict[str, float] = {}

    def measure(self, ask_reference: Callable[[], Reference]) -> None:
        start = time.perf_counter()
        asking = threading.Thread(target=self._ask, args=(ask_reference, start), daemon=True)
        asking.start()
        for attempt in (1, 2):
            try:
                self._sample(asking, start)
                self.trouble = None
            except Trouble as trouble:
                self.trouble = trouble
            if self.trouble is None or attempt == 2 or self.trouble.reason not in TRANSPORT:
                break
            time.sleep(RETRY_AFTER * (1 + random.random()))  # noqa: S311 - jitter, no secret
        asking.join()

    def _ask(self, ask_reference: Callable[[], Reference], start: float) -> None:
        self.reference = ask_reference()
        self.phases["reference"] = time.perf_counter() - start

    def _sample(self, asking: threading.Thread, start: float) -> None:
        with Service(self.url, self.deadline) as service:
            self.samples.append(service.sample())
            self.phases.setdefault("first_answer", time.perf_counter() - start)
            asking.join()
            # Two at least: one answer cannot show a clock that stands still.
            while len(self.samples) < self.most:
                self.samples.append(service.sample())
                if self.judged().proven:
                    return

    def judged(self) -> Verdict:
        reference = self.reference or own_clock("local")
        verdict = judge(self.samples, reference, self.limit)
        if self.trouble and not (verdict.proven and verdict.status == "Failed"):
            return Verdict(
                "Failed", self.trouble.reason, str(self.trouble), True, verdict.instances
            )
        return verdict


TRANSPORT = {"dns", "refused", "timeout", "tls", "unreachable"}


def check(
    url: str,
    ask_reference: Callable[[], Reference],
    limit: float = LIMIT,
    samples: int = SAMPLES,
    deadline: float = DEADLINE,
) -> Result:
    """Check the service at `url`. Never raises for anything that the service or the network does.

    ask_reference: measures true time. limit, deadline: in seconds. samples: how many at most, two or more.
    """
    checked_at, start = time.time(), time.perf_counter()
    run = _Run(url, limit, samples, start + deadline)
    # In a thread of its own, because no timeout of the libraries covers an answer that drips or a DNS that hangs.
    thread = threading.Thread(target=run.measure, args=(ask_reference,), daemon=True)
    thread.start()
    thread.join(deadline)
    if thread.is_alive() and run.trouble is None:
        run.trouble = Trouble("timeout", f"no verdict within {deadline:g} s")
    verdict = run.judged()
    run.phases["total"] = time.perf_counter() - start
    reference = run.reference or own_clock("local")
    return Result(url, verdict, reference, len(run.samples), limit, dict(run.phases), checked_at)
