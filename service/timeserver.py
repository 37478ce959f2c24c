"""Asks the time server by NTP, in a background thread, and keeps what is known of our clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import sntp
from service.clock import Answer, Clock, State

POLL = 16.0  # seconds; what Amazon recommends for its link-local server, and far below its limit
FIRST_POLLS = 4  # asked a second apart, so that a new host knows its clock soon
PATIENCE = 5.0  # seconds that a new worker waits for its first answer before it serves without one

log = logging.getLogger(__name__)


class Monitor:
    """Keeps a Clock up to date; `start` begins a daemon thread, which ends with the process."""

    def __init__(
        self,
        server: str,
        question: Callable[[str, int], sntp.Answer] = sntp.ask,
        poll: float = POLL,
    ) -> None:
        """server: host or host:port. question: what asks it. poll: seconds between questions."""
        self.server = server
        self._address = sntp.split(server)
        self._question = question
        self._poll = poll
        self._clock = Clock()
        self._trouble = ""
        self._tried = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="time-server", daemon=True).start()

    def wait(self) -> None:
        """Return once the server has answered or failed to, or after PATIENCE seconds."""
        self._tried.wait(PATIENCE)

    def _run(self) -> None:
        asked = 0
        while True:
            pause = self.poll_once()
            asked += 1
            self._tried.set()
            time.sleep(min(pause, 1.0) if asked < FIRST_POLLS and not self._trouble else pause)

    def poll_once(self) -> float:
        """Ask once; returns the seconds to wait before the next time."""
        try:
            answer = self._question(*self._address)
        except sntp.NtpError as trouble:
            self._say(str(trouble))
            return self._poll * (4 if isinstance(trouble, sntp.KissOfDeath) else 1)
        self._clock = self._clock.answered(Answer(*answer, time.time(), time.monotonic()))
        self._say("")
        return self._poll

    def _say(self, trouble: str) -> None:
        """Log a change for the better or the worse once, not at each poll."""
        if trouble != self._trouble:
            log.warning("time server %s: %s", self.server, trouble or "answers")
        self._trouble = trouble

    @property
    def state(self) -> State:
        """What to say of our clock now; also `server_silent` while the newest question failed."""
        state = self._clock.judged(time.time(), time.monotonic())
        return "server_silent" if self._trouble and state in ("starting", "synchronised") else state

    @property
    def healthy(self) -> bool:
        """Whether this host may serve. Only a clock that is known to be wrong says no, and one that
        nobody has looked at yet: a silent server would otherwise take all hosts out at once."""
        return self.state not in ("wrong", "starting")

    def report(self) -> dict[str, object]:
        """What /now tells of the clock.

        state: starting, synchronised, wrong, server_disagrees or server_silent.
        offset: seconds to add to our clock to get true time; null before the first answer.
        bound: how far off the offset may be, in seconds. age: seconds since it was measured.
        server: whom we ask. server_fault: seconds by which it jumped away from us, 0 while it is believed.
        """
        clock, wall, monotonic = self._clock, time.time(), time.monotonic()
        offset = clock.offset(wall, monotonic)
        return {
            "state": self.state,
            "offset": None if offset is None else round(offset, 6),
            "bound": round(clock.newest.bound, 6) if clock.newest else None,
            "age": round(monotonic - clock.newest.monotonic, 3) if clock.newest else None,
            "server": self.server,
            "server_fault": round(clock.server_fault, 6),
        }
