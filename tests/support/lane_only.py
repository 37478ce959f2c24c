"""The service's worker whose threads serve no connection a second time: only the fast lane does."""

from __future__ import annotations

from typing import Any

from service.worker import Worker


class LaneOnly(Worker):
    def enqueue_req(self, conn: Any) -> None:
        if conn.initialized:
            self.nr_conns -= 1
            conn.close()
        else:
            super().enqueue_req(conn)
