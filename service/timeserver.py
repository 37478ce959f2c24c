"""Asks the time server by NTP, in a background thread, and keeps what is known of our clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import sntp
from service.clock import MAX_BOUND, REASONS, UNHEALTHY, Answer, Clock, Moment, State
from service.log import about

POLL = 16.0  # seconds; what Amazon recommends for its link-local server, and far below its limit
MAX_POLL = 1024.0  # seconds; RFC 5905's longest interval, for a server that wants to be left alone
MAX_KISSES = 6  # that count: POLL * 2**6 is MAX_POLL
FIRST_POLLS = 4  # asked a second apart, so that one lost packet does not delay a new host
STEP = 0.005  # seconds; if our clock moves more during a question, the answer is about neither time

log = logging.getLogger(__name__)


class Status(NamedTuple):
    """What there is to say of our clock at one moment; `clock` is the object that /now and /health show.

    state   starting          nothing measured yet, for the first seconds only (unhealthy)
            synchronised      we agree with the server
            wrong             we are off by more than 0.5 s (unhealthy)
            server_disagrees  the server jumped, and our clock did not: it is not believed
            server_silent     no answer for a minute; we go by the last one
    offset  seconds to add to our clock to get true time; null before the first answer
    bound   how far off that measurement may be, in seconds
    age     seconds since it was made
    server  whom we ask
    server_fault  seconds by which the server jumped away from us; 0 while it is believed
    trouble what was wrong with the newest question; null if it was answered
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


def moment() -> Moment:
    """Our two clocks now. The best of three: a process that is held up between the two reads would see a step."""

    def reading() -> tuple[float, Moment]:
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        return after - before, Moment(wall, before)

    return min(reading() for _ in range(3))[1]


class Monitor:
    """Keeps a Clock up to date; `start` begins a daemon thread, which ends with the process."""

    def __init__(
        self,
        server: str,
        ask: Callable[[str, int], sntp.Answer] = sntp.ask,
        now: Callable[[], Moment] = moment,
    ) -> None:
        """server: host or host:port; ValueError if it is neither. ask, now: what reads the clocks, theirs and ours."""
        self.server = server
        self._address = sntp.split(server)
        self._ask = ask
        self._now = now
        self._clock = Clock(started=now().monotonic)
        self._trouble: str | None = None
        self._state: State = "starting"
        self._asked = 0
        self._kisses = 0
        self._stopped = threading.Event()

    def start(self) -> None:
        """Ask from now on, in the background. Not before a fork: threads do not survive one."""
        threading.Thread(target=self._run, name="time-server", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.poll()
            self._stopped.wait(self.pause())

    def poll(self) -> None:
        """Ask once, and learn from the answer or from its absence."""
        self._asked += 1
        try:
            self._clock = self._clock.answered(self._question())
        except sntp.KissOfDeath as kiss:
            self._kisses = min(self._kisses + 1, MAX_KISSES)
            self._say(str(kiss))
        except Exception as trouble:  # whatever it is: nobody would watch the clock any more
            self._say(str(trouble) or type(trouble).__name__)
        else:
            self._kisses = max(self._kisses - 1, 0)
            self._say(None)
        self.status()  # nobody else may ask, and a change of it is to be logged

    def _question(self) -> Answer:
        before = self._now()
        offset, bound = self._ask(*self._address)
        after = self._now()
        if bound > MAX_BOUND:
            raise sntp.InvalidAnswer(f"an answer to within {bound:.3f} s is too vague")
        if abs(after.stepped(before)) > STEP:
            raise sntp.InvalidAnswer("our clock was set during the question")
        return Answer(offset, bound, after)

    def pause(self) -> float:
        """Seconds until the next question. Each kiss of death doubles them, and each answer takes one kiss back.

        RFC 5905 (7.4) would have a client that is denied never ask again; then nobody would notice a clock that goes
        wrong after the server has changed its mind. Once in 17 minutes is no burden to anybody.
        """
        if self._kisses:
            return float(min(POLL * 2**self._kisses, MAX_POLL))
        return 1.0 if self._asked < FIRST_POLLS else POLL

    def _say(self, trouble: str | None) -> None:
        """Log a change for the better or the worse once, not at each poll."""
        if trouble != self._trouble:
            level, words = (logging.WARNING, "is no help") if trouble else (logging.INFO, "answers")
            line = about(server=self.server, trouble=trouble)
            log.log(level, f"the time server {words}", extra=line)
        self._trouble = trouble

    def status(self) -> Status:
        """What to say of our clock now; a change of its state is logged by whoever sees it first."""
        clock, now = self._clock, self._now()
        state, offset, newest = clock.judged(now), clock.offset(now), clock.newest
        status = Status(
            state,
            {
                "state": state,
                "offset": None if offset is None else round(offset, 6),
                "bound": round(newest.bound, 6) if newest else None,
                "age": round(now.monotonic - newest.at.monotonic, 3) if newest else None,
                "server": self.server,
                "server_fault": round(clock.server_fault, 6),
                "trouble": self._trouble,
            },
        )
        if state != self._state:
            self._state = state
            level = logging.INFO if state == "synchronised" else logging.WARNING
            shown = {key: status.clock[key] for key in ("state", "offset", "bound", "server")}
            log.log(level, status.reason, extra=about(healthy=status.healthy, **shown))
        return status
