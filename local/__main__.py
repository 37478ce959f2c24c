"""The local cloud: `python -m local up|start|down|status|logs|shell|reviewer` (through make up, make cloud ...).

Exit codes: 0 done (and the healthcheck says OK), 1 it failed and says why, 2 wrong usage, or another run is at work, or
the healthcheck says Failed, 3 the healthcheck says Unknown, 130 interrupted.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from docker.errors import DockerException
from requests import RequestException

from deployment.errors import UserError
from local import reviewer
from local.containers import DEFAULT, PORT, ROOT, Containers
from local.down import down
from local.files import Busy, folder_of, lock, remembered_port
from local.logs import logs
from local.shell import shell
from local.status import status
from local.up import start, up


def deployment_name(text: str) -> str:
    """A type for argparse, as the next; their names are in its messages."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: use small letters, digits and hyphens")
    return text


def port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 1 to 65535")
    return number


def setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = ["up", "start", "down", "status", "logs", "shell", "reviewer"]
    parser.add_argument("command", choices=commands)
    parser.add_argument(
        "--name", type=deployment_name, default=os.environ.get("NAME") or DEFAULT,
        help="of the deployment (default: $NAME, else %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=port, default=os.environ.get("PORT") or None,
        help=f"on 127.0.0.1 (default: $PORT, else the present one, else {PORT})",
    )  # fmt: skip
    parser.add_argument(
        "--config", type=setting, action="append", default=[], metavar="KEY=VALUE",
        help="a Pulumi configuration value (Pulumi.yaml lists them); repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--host-cpus", default=os.environ.get("HOST_CPUS") or None,
        help="of each host from now on (default: $HOST_CPUS, else all); 0.2 is a t3.micro without CPU credits",
    )  # fmt: skip
    parser.add_argument(
        "--host-memory", default=os.environ.get("HOST_MEMORY") or None,
        help="of each host from now on, such as 1g (default: $HOST_MEMORY, else all)",
    )  # fmt: skip
    parser.add_argument(
        "--host", default="", help="logs, shell: zone, number or id; logs: or a part"
    )
    parser.add_argument("--follow", action="store_true", help="logs: go on with what will be said")
    parser.add_argument("--run", default="", metavar="COMMAND", help="shell: run this alone")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    code = 0
    try:
        code = attempt(args)
        sys.stdout.flush()  # Python's own at exit would be too late
    except BrokenPipeError:  # whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def attempt(args: argparse.Namespace) -> int:
    """Do it, or say why it failed."""
    folder = folder_of(args.name, ROOT)
    try:
        limits = {"HOST_CPUS": args.host_cpus, "HOST_MEMORY": args.host_memory}
        given = {variable: value for variable, value in limits.items() if value}
        return run(args, Containers(args.name, args.port, remembered_port(folder), given), folder)
    except Busy as busy:
        print(f"\nerror: {busy}", file=sys.stderr)
        return 2
    except UserError as trouble:
        print(f"\nerror: {trouble}", file=sys.stderr)
        return 1
    except (DockerException, RequestException) as trouble:  # it answered at first
        print(
            f"\nerror: the Docker engine ended, or refuses: {trouble}; once it answers, make up",
            file=sys.stderr,
        )
        return 1


def run(args: argparse.Namespace, cloud: Containers, folder: Path) -> int:
    if args.command == "status":
        return status(cloud)
    if args.command == "logs":
        return logs(cloud, args.host, args.follow)
    if args.command == "shell":
        return shell(cloud, args.host, args.run)
    if args.command == "reviewer":
        return reviewer.show(folder)
    with lock(folder):
        if args.command == "down":
            return down(cloud, folder)
        if args.command == "up":
            return up(cloud, folder, dict(args.config))
        start(cloud, folder)
        return 0


def interrupted(*_: object) -> None:
    """End at once: the program's threads would wait until the stack that is being made stands."""
    try:
        print(
            "\nStopped half-way; the next make up or make down mends it.",
            file=sys.stderr,
            flush=True,
        )
    finally:  # whoever would have read it may be gone as well
        os._exit(130)


def end_with_parent() -> None:
    """Let a make that is killed take this run along: nobody would know of it, and the next one be refused as busy."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


if __name__ == "__main__":
    end_with_parent()
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    raise SystemExit(main())
