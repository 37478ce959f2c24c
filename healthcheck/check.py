"""One check, from the URL to the verdict: measure until the verdict is proven or time is up."""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from healthcheck import reference
from healthcheck.clock import steady_time
from healthcheck.failures import LATE
from healthcheck.reading import Reading, Reference, Sample, Trouble
from healthcheck.samples import Service
from healthcheck.verdict import LIMIT, MAX_TICK, Verdict, judge
from healthcheck.waiting import Bell, pause

SAMPLES = 8
# Seconds.
DEADLINE = 10.0
# Seconds, and as much jitter, so that many checks do not retry at the same moment.
RETRY_AFTER = 0.3
# Failures of the connection. A response is final, even a bad one.
RETRIED = {"dns", "proxy", "refused", "timeout", "tls", "unreachable"}
# Seconds between two samples.
MAX_PAUSE = 0.1

# The argument is the most time that it may take, in seconds.
AskReference = Callable[[float], Reference]


class Result(NamedTuple):
    """A verdict, what it rests on, and how long the parts took (in seconds).

    checked_at: when the check began, in seconds since 1970, by the checker's own clock.
    """

    url: str
    verdict: Verdict
    reading: Reading
    limit: float
    phases: dict[str, float]
    checked_at: float


def check(
    url: str,
    *,
    ask_reference: AskReference,
    limit: float = LIMIT,
    samples: int = SAMPLES,
    deadline: float = DEADLINE,
    environment: bool = False,
) -> Result:
    """Check the service at `url`. Never raises, whatever the service or the network does.

    ask_reference: measures true time. limit, deadline: in seconds. samples: the most, at least two.
    environment: use the proxies, .netrc and certificates that the environment names.
    """
    checked_at, start = time.time(), steady_time()
    service = Service(url, deadline=start + deadline, environment=environment)
    run = _Run(service, limit, samples, start)
    # A silent time server must not look like a late service, so it gets half of the time.
    patience = min(reference.TIMEOUT, deadline / 2)
    # No time-out of the libraries covers a response that drips, or a DNS lookup that hangs. The
    # thread is left behind if it hangs where it cannot be cut.
    with Bell() as bell:
        arguments = (ask_reference, patience, bell)
        threading.Thread(target=run.measure, args=arguments, daemon=True).start()
        is_late = not bell.wait(deadline)
    reading, phases = run.reading(), {**run.phases, "total": steady_time() - start}
    if is_late:
        service.cut()
        if reading.trouble is None:
            reading = reading._replace(trouble=Trouble("timeout", LATE))
    if run.defect:
        verdict = Verdict("Unknown", "error", f"the check itself failed: {run.defect!a}", False)
    else:
        verdict = judge(reading, limit)
    return Result(url, verdict, reading, limit, phases, checked_at)


@dataclass
class _Run:
    """The state of one check, which its threads fill. start: on the steady clock."""

    service: Service
    limit: float
    max_samples: int
    start: float
    samples: list[Sample] = field(default_factory=list)
    reference: Reference | None = None
    trouble: Trouble | None = None
    defect: Exception | None = None
    phases: dict[str, float] = field(default_factory=dict)

    def reading(self) -> Reading:
        """All measurements so far."""
        known = self.reference or reference.own_clock("local")
        return Reading(tuple(self.samples), known, self.trouble)

    def measure(self, ask_reference: AskReference, patience: float, bell: Bell) -> None:
        """Measure the reference and the service, then ring."""
        asking = threading.Thread(target=self._ask, args=(ask_reference, patience), daemon=True)
        # A bug in the check, or too few threads or files. The verdict names the exception.
        try:
            asking.start()
            self._sample_with_retry(asking)
            # Also if the service failed: with the reference, a failure of our network is visible.
            asking.join()
        except Exception as defect:
            self.defect = defect
        finally:
            bell.ring()

    def _ask(self, ask_reference: AskReference, patience: float) -> None:
        try:
            self.reference = ask_reference(patience)
        except Exception as defect:
            self.defect = defect
        self.phases["reference"] = steady_time() - self.start

    def _sample_with_retry(self, asking: threading.Thread) -> None:
        """Take the samples; if the connection fails, try once more on a new one."""
        try:
            return self._sample(asking)
        except Trouble as trouble:
            self.trouble = trouble
        wait = RETRY_AFTER * (1 + random.random())
        if self.trouble.reason not in RETRIED or steady_time() + wait > self.service.deadline:
            return None
        pause(wait)
        try:
            self._sample(asking)
            self.trouble = None
        except Trouble as trouble:
            self.trouble = trouble

    def _sample(self, asking: threading.Thread) -> None:
        with contextlib.closing(self.service):
            self.samples.append(self.service.sample())
            self.phases.setdefault("first_answer", steady_time() - self.start)
            asking.join()
            # At least two: one sample cannot show a frozen clock.
            while len(self.samples) < self.max_samples and self._has_time_for_another():
                self._wait_for_tick()
                self.samples.append(self.service.sample())
                verdict = judge(self.reading(), self.limit)
                if verdict.proven and (verdict.reason == "frozen" or not self._is_stamp_repeated()):
                    return

    def _has_time_for_another(self) -> bool:
        """Return whether another sample fits before the deadline, judged by the slowest so far.

        The first two are always taken.
        """
        slowest = max(sample.arrived - sample.sent for sample in self.samples)
        return len(self.samples) < 2 or steady_time() + slowest < self.service.deadline

    def _is_stamp_repeated(self) -> bool:
        """Return whether the last stamp came before: the clock is frozen, or ticks slowly."""
        *before, last = ((sample.instance, sample.stated.seconds) for sample in self.samples)
        return last in before

    def _wait_for_tick(self) -> None:
        """Wait until a running clock must state another time, if that is soon."""
        wait = 2.5 * self.samples[-1].stated.resolution
        if wait <= MAX_PAUSE:
            pause(max(wait, MAX_TICK) if self._is_stamp_repeated() else wait)
