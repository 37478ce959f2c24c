"""gunicorn's settings. docs/decisions has the measurements behind them."""

import os
from typing import Any

from gunicorn.http.errors import InvalidHeader
from gunicorn.sock import create_sockets

bind = os.environ.get("TIMESERVICE_BIND", "0.0.0.0:8080")
# One process for each vCPU of a t3. A single process halves the throughput, because its threads
# share the GIL. The price: 30 MB, and each process asks the time server for itself.
workers = int(os.environ.get("TIMESERVICE_WORKERS", "2"))
worker_class = "service.worker.Worker"
# A few more than can work at once, because some wait for slow clients.
threads = 4
# Longer than the balancer's idle timeout (60 s). Otherwise the service would close a connection
# that the balancer is about to use, and the client would get a 502.
keepalive = 75
# Below the 30 s that the balancer gives a leaving host to finish its requests.
graceful_timeout = 20
# The heartbeat: the root file system is read-only, and a disk could stall.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - see above
# Called in the worker, after the fork: threads do not survive a fork.
wsgi_app = "service.app:create_app()"
control_socket_disable = True
# No header of a proxy is used, so no address may set a scheme or a SCRIPT_NAME.
forwarded_allow_ips = ""
logger_class = "service.log.Logger"


def on_starting(server: Any) -> None:
    """Open a listener for each process, so that the kernel shares the connections between them.

    The first process keeps all of them open, so that the end of another resets no connection. With
    a single process, SO_REUSEPORT is off, so a port in use is refused.
    """
    server.cfg.set("reuse_port", server.cfg.workers > 1)
    for _ in range(server.cfg.workers):
        server.LISTENERS += create_sockets(server.cfg, server.log)
    # Otherwise each process would open another listener.
    server.cfg.set("reuse_port", False)


def pre_fork(server: Any, worker: Any) -> None:
    """Give a new process the listener that the fewest processes have."""
    taken = [other.sockets[0] for other in server.WORKERS.values()]
    worker.sockets = [min(server.LISTENERS, key=taken.count)]


def post_fork(server: Any, worker: Any) -> None:
    """Close the other processes' listeners, which would outlive them and accept connections."""
    for listener in server.LISTENERS:
        if listener not in worker.sockets:
            listener.close()


def pre_request(worker: Any, request: Any) -> None:
    """Refuse a request without a Host (RFC 9112, section 3.2), and leave a body unread.

    Waiting for slow bodies would hold all threads, and /health with them.
    """
    if request.version >= (1, 1) and all(name != "HOST" for name, _ in request.headers):
        raise InvalidHeader("HOST")
    for name, value in request.headers:
        if name == "TRANSFER-ENCODING" or (name == "CONTENT-LENGTH" and value.strip() != "0"):
            request.force_close()
