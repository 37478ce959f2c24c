"""One check, from the URL to the verdict: measure until the verdict is proven or time is up."""

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from healthcheck import reference
from healthcheck.clock import steady_time
from healthcheck.coverage import Coverage, find_coverage
from healthcheck.dialer import Dialer
from healthcheck.failures import LATE
from healthcheck.reading import Reading, Reference, Sample, Trouble
from healthcheck.samples import Query, Service
from healthcheck.verdict import LIMIT, MAX_TICK, Verdict, judge, judge_coverage
from healthcheck.waiting import Bell, pause

# Requests at most.
SAMPLES = 400
# Samples of each host, after which more do not help a clock that is still undetermined.
ENOUGH = 8
# Connections at the same time.
LANES = 8
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
    coverage: Coverage


def check(
    url: str,
    *,
    ask_reference: AskReference,
    limit: float = LIMIT,
    samples: int = SAMPLES,
    deadline: float = DEADLINE,
    instances: int = 1,
    strict: bool = False,
    environment: bool = False,
) -> Result:
    """Check the service at `url`. No failure of the service or the network raises an exception.

    ask_reference: measures true time. limit, deadline: in seconds. samples: the most, at least two.
    instances: hosts that must be seen. strict: whether the check fails if a host may be missing.
    environment: use the proxies, .netrc and certificates that the environment names.
    """
    checked_at, start = time.time(), steady_time()
    query = Query(url, environment=environment)
    run = _Run(query, limit, samples, instances, start, deadline)
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
        for service in run.services:
            service.cut()
        if reading.trouble is None:
            reading = reading._replace(trouble=Trouble("timeout", LATE))
    coverage = find_coverage(reading, instances)
    if run.defect:
        verdict = Verdict("Unknown", "error", f"the check itself failed: {run.defect!a}", False)
    else:
        verdict = judge_coverage(judge(reading, limit), coverage, strict=strict)
    return Result(url, verdict, reading, limit, phases, checked_at, coverage)


@dataclass
class _Run:
    """The state of one check, which its threads fill. start: on the steady clock."""

    query: Query
    limit: float
    max_samples: int
    instances: int
    start: float
    deadline: float
    dialer: Dialer = field(default_factory=Dialer)
    services: list[Service] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    reference: Reference | None = None
    trouble: Trouble | None = None
    defect: Exception | None = None
    phases: dict[str, float] = field(default_factory=dict)
    # Each number is a request.
    requests: Iterator[int] = field(default_factory=itertools.count)

    def reading(self) -> Reading:
        """Return all measurements so far."""
        known = self.reference or reference.use_own_clock("local")
        samples = sorted(self.samples, key=lambda sample: sample.sent)
        return Reading(tuple(samples), known, self.trouble)

    def measure(self, ask_reference: AskReference, patience: float, bell: Bell) -> None:
        """Measure the reference and the service, then ring."""
        asking = threading.Thread(target=self._ask, args=(ask_reference, patience), daemon=True)
        try:
            asking.start()
            self._sample(asking)
            # Wait for the reference even if the service failed: it shows a failure of our own
            # network.
            asking.join()
        # A bug in the check, or too few threads or files. The verdict names the exception.
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

    def _sample(self, asking: threading.Thread) -> None:
        """Request the time twice over one connection, then over new ones in several lanes."""
        with contextlib.closing(self._open_service()) as service:
            if not self._take_sample(service):
                return
            self.phases["first_answer"] = steady_time() - self.start
            # Two samples are the least: one cannot show a frozen clock.
            wait = 2.5 * self.samples[0].stated.resolution
            if wait <= MAX_PAUSE:
                pause(wait)
            if not self._take_sample(service):
                return
        lanes = self._count_lanes()
        with Bell() as bell:
            for _ in range(lanes):
                threading.Thread(target=self._run_lane, args=(asking, bell), daemon=True).start()
            bell.wait(self._seconds_left(), lanes)

    def _open_service(self) -> Service:
        service = Service(self.query, self.dialer, deadline=self.start + self.deadline)
        self.services.append(service)
        return service

    def _seconds_left(self) -> float:
        return self.start + self.deadline - steady_time()

    def _count_lanes(self) -> int:
        """Return how many connections at once the service responds to in time.

        A service that serves one connection after the other makes the others wait.
        """
        slowest = max(sample.arrived - sample.sent for sample in self.samples)
        work = max(slowest - (self.dialer.handshake or 0), 0.001)
        return max(1, min(LANES, int((self._seconds_left() - self.deadline / 2) / (2 * work))))

    def _run_lane(self, asking: threading.Thread, bell: Bell) -> None:
        """Take two samples over one connection after the other, while that helps."""
        try:
            while self._wants_connection(asking):
                with contextlib.closing(self._open_service()) as service:
                    # A balancer may send the first request of each connection to the same host.
                    if not (self._take_sample(service) and self._take_sample(service)):
                        return
        except Exception as defect:
            self.defect = defect
        finally:
            bell.ring()

    def _wants_connection(self, asking: threading.Thread) -> bool:
        """Return whether a connection may change the verdict, and is in time."""
        # The other half of the time is for responses.
        if self.trouble or self.defect or self._seconds_left() < self.deadline / 2:
            return False
        coverage = find_coverage(self.reading(), self.instances)
        if not coverage.is_certain:
            return not self._is_wrong(judge(self.reading(), self.limit))
        asking.join()
        verdict = judge(self.reading(), self.limit)
        if self._is_wrong(verdict):
            return False
        if not coverage.is_complete:
            # A host with a small share, or one that joins late. Spread the samples over the time.
            pause(LANES * self.deadline / self.max_samples)
            return True
        if not self._has_ticked():
            pause(MAX_TICK)
            return True
        fewest = min((host.samples for host in verdict.instances), default=ENOUGH)
        return not verdict.is_final and fewest < ENOUGH

    def _is_wrong(self, verdict: Verdict) -> bool:
        """Return whether a host is proven to be wrong, and the cause is known."""
        is_explained = verdict.reason == "frozen" or self._has_ticked()
        return verdict.status == "Failed" and verdict.is_final and is_explained

    def _has_ticked(self) -> bool:
        """Return whether each host has stated two different times, or ticks too slowly for that."""
        stamps: dict[str, set[float]] = {}
        for sample in self.samples:
            if 2.5 * sample.stated.resolution <= MAX_PAUSE:
                stamps.setdefault(sample.instance, set()).add(sample.stated.seconds)
        return all(len(times) > 1 for times in stamps.values())

    def _take_sample(self, service: Service) -> bool:
        """Take a sample, and return whether there is one; retry a failed connection once."""
        if next(self.requests) >= self.max_samples:
            return False
        trouble = self._try_sample(service)
        wait = RETRY_AFTER * (1 + random.random())
        if trouble and trouble.reason in RETRIED and wait <= self._seconds_left():
            service.close()
            pause(wait)
            trouble = self._try_sample(service)
        self.trouble = self.trouble or trouble
        return trouble is None

    def _try_sample(self, service: Service) -> Trouble | None:
        try:
            self.samples.append(service.sample())
        except Trouble as trouble:
            return trouble
        return None
