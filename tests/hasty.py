"""The service's worker, for tests that do not wait ten seconds."""

from __future__ import annotations

from service.worker import Worker


class Hasty(Worker):
    patience = 0.3
