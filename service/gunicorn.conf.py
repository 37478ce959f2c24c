"""How the service is run: one process whose eight threads share the GIL, as the work of a request is microseconds."""

import os

bind = os.environ.get("TIMESERVICE_BIND", "0.0.0.0:8080")
workers = 1  # a second would ask the time server twice, and t3.micro's baseline feeds no second one
worker_class = "gthread"
threads = 8
# Longer than the balancer's idle timeout (60 s): else the service closes a connection that the balancer is just about
# to use, and the client gets a 502.
keepalive = 75
graceful_timeout = 20  # below the 30 s that the balancer lets a leaving host finish its requests
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the root file system is read-only, and a disk could stall the heartbeat
wsgi_app = (
    "service.app:create_app()"  # made in the worker, after the fork: threads do not survive one
)
control_socket_disable = True
errorlog = "-"
accesslog = None  # the balancer counts requests; a line each would cost more than the answer
