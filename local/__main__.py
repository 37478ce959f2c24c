"""The local cloud: `python -m local COMMAND`, which make up, make cloud and so on run.

Exit codes: 0 success, 1 failure, 2 wrong usage or another run is at work, 130 interrupted.
up and check end with the exit code of the healthcheck: 0 OK, 2 Failed, 3 Unknown.
"""

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from docker.errors import DockerException
from requests import RequestException

from deployment.errors import UserError
from local import reviewer
from local.api import REFUSALS
from local.containers import DEFAULT, PORT, Containers
from local.down import down
from local.hosts import shell
from local.logs import logs
from local.project import STACK, merge_config, parse_config, parse_name
from local.status import check, status
from local.steps import Busy, allow_closed_output, get_folder, lock_deployment

COMMANDS = ("up", "start", "down", "status", "check", "logs", "shell", "reviewer")
# The options of each command, besides --name.
OPTIONS = {
    "up": {"port", "config"},
    "validate": {"port", "config"},
    "start": {"port"},
    "architecture": {"config"},
    "logs": {"host", "follow"},
    "shell": {"host", "run"},
}


def port(text: str) -> int:
    """Return a port. The messages of argparse contain the name of this function."""
    number = int(text)
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 1 to 65535")
    return number


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # An abbreviated option would not be found below.
        allow_abbrev=False,
    )
    parser.add_argument("command", choices=("architecture", "validate", *COMMANDS))
    parser.add_argument(
        "--name",
        type=parse_name,
        default=os.environ.get("NAME") or DEFAULT,
        help="of the deployment (default: $NAME, else %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=os.environ.get("PORT") or None,
        help=f"up, start: on 127.0.0.1 (default: $PORT, else the present one, else {PORT})",
    )
    parser.add_argument(
        "--config",
        default="",
        metavar="'KEY=VALUE ...'",
        help="up, validate, architecture: settings of Pulumi.yaml; `up` keeps one until KEY=",
    )
    parser.add_argument(
        "--host", default="", help="logs, shell: a zone, or how an id begins; logs: or a part"
    )
    parser.add_argument("--follow", action="store_true", help="logs: show new lines as they come")
    parser.add_argument("--run", default="", metavar="COMMAND", help="shell: run only this")
    args = parser.parse_args(argv)
    words = {word.partition("=")[0] for word in (sys.argv[1:] if argv is None else argv)}
    taken = OPTIONS.get(args.command, set())
    for option in ("port", "config", "host", "follow", "run"):
        if f"--{option}" in words and option not in taken:
            parser.error(f"{args.command} takes no --{option}")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    code = 0
    with allow_closed_output():
        code = attempt(args)
    return code


def attempt(args: argparse.Namespace) -> int:
    """Run the command, or print why it failed."""
    try:
        return run(args, get_folder(args.name))
    except Busy as busy:
        print(f"\nerror: {busy}", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except (DockerException, RequestException) as error:
        print(f"\nerror: the Docker engine has stopped or refuses: {error}", file=sys.stderr)
    except REFUSALS as error:
        print(f"\nerror: the local AWS API has stopped or refuses: {error}", file=sys.stderr)
    print("Once it answers, run make up.", file=sys.stderr)
    return 1


def run(args: argparse.Namespace, folder: Path) -> int:
    if args.command in ("architecture", "validate", "up", "start"):
        # Pulumi's SDK takes a second to import, so only what uses it waits for that.
        return deploy(args, folder)
    check_stack(args)
    if args.command == "reviewer":
        return reviewer.show(folder)
    cloud = Containers(args.name)
    if args.command == "down":
        with lock_deployment(folder):
            return down(cloud, folder)
    if args.command == "status":
        return status(cloud)
    if args.command == "check":
        return check(cloud)
    if args.command == "logs":
        return logs(cloud, args.host, args.follow)
    return shell(cloud, args.host, args.run)


def deploy(args: argparse.Namespace, folder: Path) -> int:
    from local import program, up

    if args.command == "architecture":
        # make image builds for the instance type in CONFIG, or in the settings of STACK.
        stack = os.environ.get("STACK") or STACK
        print(program.settings(parse_config(args.config), "make image", stack).architecture)
        return 0
    check_stack(args)
    if args.command == "validate":
        # make up does this before it builds anything or starts an engine.
        program.check(merge_config(folder, parse_config(args.config)))
        return 0
    cloud = Containers(args.name, args.port)
    with lock_deployment(folder):
        if args.command == "up":
            return up.up(cloud, folder, parse_config(args.config))
        return up.start_alone(cloud, folder)


def check_stack(args: argparse.Namespace) -> None:
    """Raise UserError if STACK names a deployment on AWS."""
    stack = os.environ.get("STACK") or STACK
    if stack != STACK:
        raise UserError(
            f"make {args.command} is for the deployment on this machine, and STACK={stack} is on "
            "AWS. Its page and dashboard: pulumi stack output --stack "
            f"{stack}. make reach, drift, leftovers and destroy take STACK={stack}"
        )


def stop(*_: object) -> None:
    """End at once: the program's threads would wait until the current stack is complete."""
    try:
        os.write(2, b"\nInterrupted. Run make up or make down again.\n")
    finally:
        # Nobody may be there any more to read the message.
        os._exit(130)


def end_with_parent() -> None:
    """End with the make that started this run, also when make is killed.

    Otherwise this run would go on unseen, and the next one would be refused.
    """
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


if __name__ == "__main__":
    end_with_parent()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    raise SystemExit(main())
