"""The local cloud: `python -m local COMMAND`, which make up, make cloud and so on run.

Exit codes: 0 success, 1 failure, 2 wrong usage or another run is at work, 130 interrupted.
up and check end with the exit code of the healthcheck: 0 OK, 2 Failed, 3 Unknown.
"""

import argparse
import ctypes
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deployment.errors import UserError
from local import reviewer
from local.containers import DEFAULT, PORT, Containers
from local.down import down
from local.hosts import shell
from local.logs import logs
from local.project import STACK, merge_config, parse_config, parse_name
from local.status import check, status
from local.steps import RETRY, get_folder, lock_deployment, run_command

# What each command does, and its options besides --name.
COMMANDS = {
    "up": ("deploy, or update what is deployed, and check the service", ["--port", "--config"]),
    "validate": ("check the settings, and deploy nothing", ["--port", "--config"]),
    "architecture": ("print the architecture of the hosts, for make image", ["--config"]),
    "start": ("start the local cloud alone, for the pulumi CLI", ["--port"]),
    "down": ("remove the deployment", []),
    "status": ("print stacks, hosts, alarms and URL", []),
    "check": ("run the healthcheck", []),
    "logs": ("print the logs of all parts, or of --host", ["--host", "--follow"]),
    "shell": ("open a shell on a host", ["--host", "--run"]),
    "reviewer": ("print how the reviewer signs in", []),
}


def port(text: str) -> int:
    """Return a port. The messages of argparse contain the name of this function."""
    number = int(text)
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 1 to 65535")
    return number


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    name, port_ = os.environ.get("NAME") or DEFAULT, os.environ.get("PORT") or None
    default_port = f"$PORT, else the present one, else {PORT}"
    options: dict[str, dict[str, Any]] = {
        "--name": {"type": parse_name, "default": name, "help": f"default: $NAME, else {DEFAULT}"},
        "--port": {"type": port, "default": port_, "help": f"default: {default_port}"},
        "--config": {"default": "", "help": "settings of Pulumi.yaml, as 'KEY=VALUE ...'"},
        "--host": {"default": "", "help": "a zone, how an instance id begins, or a part's logs"},
        "--follow": {"action": "store_true", "help": "show new lines as they come"},
        "--run": {"default": "", "metavar": "COMMAND", "help": "run only this"},
    }
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, (text, names) in COMMANDS.items():
        subparser = commands.add_parser(command, help=text, description=text)
        for option in ("--name", *names):
            subparser.add_argument(option, **options[option])
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    api = "the local AWS API has stopped or refuses"
    return run_command(lambda: run(args, get_folder(args.name)), 1, api, RETRY)


def run(args: argparse.Namespace, folder: Path) -> int:
    if args.command == "architecture":
        return print_architecture(args.config)
    check_stack(args)
    if args.command == "reviewer":
        return reviewer.show(folder)
    if args.command in ("up", "start", "validate"):
        return deploy(args, folder)
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


def print_architecture(config: str) -> int:
    """Print that of the instance type in the configuration, or in the settings of STACK."""
    from local import program

    stack = os.environ.get("STACK") or STACK
    print(program.settings(parse_config(config), "make image", stack).architecture)
    return 0


def deploy(args: argparse.Namespace, folder: Path) -> int:
    # Pulumi's SDK takes a second to import, so only what uses it waits for that.
    from local import program, up

    if args.command == "start":
        with lock_deployment(folder):
            return up.start_alone(Containers(args.name, args.port), folder)
    given = parse_config(args.config)
    if args.command == "validate":
        program.check(merge_config(folder, given))
        return 0
    with lock_deployment(folder):
        return up.up(Containers(args.name, args.port), folder, given)


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

    Otherwise this run would continue unseen, and the next run would be refused.
    """
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


if __name__ == "__main__":
    end_with_parent()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    raise SystemExit(main())
