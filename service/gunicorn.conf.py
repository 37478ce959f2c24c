"""How the service is run: a process for each of a t3's two vCPUs. `make bench` and docs/decisions/12 have the
figures."""

import contextlib
import os
import socket
from typing import Any

from gunicorn.http.errors import InvalidHeader

bind = os.environ.get("TIMESERVICE_BIND", "0.0.0.0:8080")
# A single one, whose threads hand one GIL from CPU to CPU, answers less than half as much and spends more on each. The
# price: 30 MB, and each asks the time server for itself.
workers = int(os.environ.get("TIMESERVICE_WORKERS", "2"))
# A listener for each, between which the kernel shares connections; else one may get them all. A single one does
# without, so that a port that is taken is refused.
reuse_port = workers > 1
worker_class = "service.worker.Worker"
threads = 4  # in each: a few more than can work, as one that sends to a slow client waits
# Longer than the balancer's idle timeout (60 s): else the service closes a connection that the balancer is just about
# to use, and the client gets a 502.
keepalive = 75
graceful_timeout = 20  # below the 30 s that the balancer lets a leaving host finish its requests
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the root file system is read-only, and a disk could stall the heartbeat
wsgi_app = (
    "service.app:create_app()"  # made in the worker, after the fork: threads do not survive one
)
control_socket_disable = True
forwarded_allow_ips = (
    ""  # nothing that we use is forwarded: nobody is trusted to set a scheme or a SCRIPT_NAME
)
errorlog = "-"
logger_class = "service.log.Logger"
accesslog = None  # the balancer counts requests; a line each would cost more than the answer


def pre_request(worker: Any, request: Any) -> None:
    """Leave a body unread: waiting for the rest of slow ones would keep all threads, and /health with them. Refuse a
    request without a Host, as RFC 9112, section 3.2, demands; gunicorn only refuses two."""
    if request.version >= (1, 1) and all(name != "HOST" for name, _ in request.headers):
        raise InvalidHeader("HOST")
    for name, value in request.headers:
        if name == "TRANSFER-ENCODING" or (name == "CONTENT-LENGTH" and value.strip() != "0"):
            request.force_close()
    _hold(request, True)


def post_request(worker: Any, request: Any, environ: dict[str, Any], response: Any) -> None:
    """Send what was held; close without waiting for the client to close as well."""
    _hold(request, False)
    if response is not None and response.should_close():
        with contextlib.suppress(OSError):  # it has
            environ["gunicorn.socket"].shutdown(socket.SHUT_RD)


def _hold(request: Any, held: bool) -> None:
    """Let the kernel wait for the body, which gunicorn sends after the headers: two packets cost more than this."""
    with contextlib.suppress(OSError):  # the client has gone
        request.unreader.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, held)
