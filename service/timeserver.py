"""Ask the time server by NTP, in a background thread, and keep what is known of our clock."""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import sntp
from service.clock import MAX_BOUND, REASONS, UNHEALTHY, Clock, Measurement, Moment, State
from service.log import log_fields

# Seconds. Amazon recommends 16 for its link-local server.
POLL = 16.0
# Kisses of death that count: POLL * 2**6 is RFC 5905's longest interval, 1024 s.
MAX_KISSES = 6
# The first requests are a second apart, so that one lost packet does not delay a new host.
FIRST_POLLS = 4
# Seconds. If our clock moves more during a request, the offset fits the clock neither before the
# step nor after it.
MAX_STEP = 0.005
# Seconds for which a status is reused. Formatting it costs more than the rest of /now.
FRESH = 0.1
# Seconds. Readings of our clocks that differ by less show neither an interruption nor a step.
CLOSE = 10e-6

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Status:
    """The state of our clock at one moment.

    clock: the object that /now and /health show; docs/openapi.yaml describes its fields.
    """

    state: State
    clock: dict[str, object]

    @property
    def healthy(self) -> bool:
        """Whether this host may serve."""
        return self.state not in UNHEALTHY

    @property
    def reason(self) -> str:
        """The state in a sentence."""
        return REASONS[self.state]


# Linux's CLOCK_MONOTONIC does not count the time that the machine slept: the wall clock would look
# set forward. CLOCK_BOOTTIME counts it.
STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def moment() -> Moment:
    """Return the readings of our two clocks now.

    The first close pair of readings is taken, or else the closest of three: an interruption between
    two readings would look like a step.
    """
    gap = math.inf
    for _ in range(3):
        before, wall, after = time.clock_gettime(STEADY), time.time(), time.clock_gettime(STEADY)
        if after - before < gap:
            gap, closest = after - before, Moment(wall, before)
        if gap < CLOSE:
            break
    return closest


class Monitor:
    """Keeps a Clock up to date. `start` begins a daemon thread, which ends with the process."""

    def __init__(
        self,
        server: str,
        ask: Callable[[str, int], sntp.Answer] = sntp.ask,
        now: Callable[[], Moment] = moment,
    ) -> None:
        """Take the server as host or host:port. Raises ValueError if it is neither.

        ask: sends one request. now: reads our clocks.
        """
        self.server = server
        self._address = sntp.split(server)
        self._ask = ask
        self._now = now
        self._clock = Clock(started=now().monotonic)
        self._trouble: str | None = None
        self._latest: tuple[Status, Moment, tuple[object, ...]] | None = None
        self._state: State = "starting"
        self._polls = 0
        self._kisses = 0

    def start(self) -> None:
        """Ask in the background from now on. Call it after a fork, which no thread survives."""
        threading.Thread(target=self._run, name="time-server", daemon=True).start()

    def _run(self) -> None:
        while True:
            self.poll()
            time.sleep(self.poll_interval())

    def poll(self) -> None:
        """Ask once, and update the clock by the response or by its absence."""
        self._polls += 1
        try:
            self._clock = self._clock.update(self._measure())
        except sntp.KissOfDeath as kiss:
            self._kisses = min(self._kisses + 1, MAX_KISSES)
            self._set_trouble(str(kiss))
        # Any other exception would end the thread, and nothing would watch the clock any more.
        except Exception as error:
            self._set_trouble(str(error) or type(error).__name__)
        else:
            self._kisses = max(self._kisses - 1, 0)
            self._set_trouble(None)
        # The state may change while no client asks for it; `status` logs the change.
        self.status()

    def _measure(self) -> Measurement:
        before = self._now()
        offset, bound = self._ask(*self._address)
        after = self._now()
        if bound > MAX_BOUND:
            raise sntp.NtpError(f"a response with a bound of {bound:.3f} s is too vague")
        if abs(after.step_since(before)) > MAX_STEP:
            raise sntp.NtpError("our clock was set during the request")
        return Measurement(offset, bound, after)

    def poll_interval(self) -> float:
        """Return the seconds until the next request.

        Each kiss of death doubles them, and each good response takes one kiss back. RFC 5905 (7.4)
        lets a client that is denied never ask again. Then nothing would watch the clock after the
        server has changed its mind. One request in 17 minutes is no burden.
        """
        if self._polls < FIRST_POLLS and not self._kisses:
            return 1.0
        return float(POLL * 2**self._kisses)

    def _set_trouble(self, trouble: str | None) -> None:
        """Remember what is wrong with the server, and log each change once."""
        if trouble != self._trouble:
            fields = log_fields(server=self.server, trouble=trouble)
            if trouble:
                log.warning("the time server gives no valid response", extra=fields)
            else:
                log.info("the time server responds", extra=fields)
        self._trouble = trouble

    def status(self) -> Status:
        """Return the state of our clock, and log it if it has changed since the last call.

        A status is returned again while it is fresh, but not after a poll or a step of our clock.
        """
        now, clock, trouble = self._now(), self._clock, self._trouble
        if self._latest:
            status, then, basis = self._latest
            is_fresh = basis == (clock, trouble) and now.monotonic - then.monotonic < FRESH
            if is_fresh and abs(now.step_since(then)) < CLOSE:
                return status
        state, offset, newest = clock.state_at(now), clock.offset_at(now), clock.newest
        status = Status(
            state,
            {
                "state": state,
                "offset": None if offset is None else round(offset, 6),
                "bound": round(newest.bound, 6) if newest else None,
                "age": round(now.monotonic - newest.at.monotonic, 3) if newest else None,
                "server": self.server,
                "server_fault": round(clock.server_fault, 6),
                "trouble": trouble,
            },
        )
        self._latest = status, now, (clock, trouble)
        if state != self._state:
            self._state = state
            level = logging.INFO if state == "synchronised" else logging.WARNING
            shown = {key: status.clock[key] for key in ("state", "offset", "bound", "server")}
            log.log(level, status.reason, extra=log_fields(healthy=status.healthy, **shown))
        return status
