"""The local cloud: `python -m local COMMAND`, which make up, make cloud and so on run.

NAME, PORT, CONFIG, HOST, FOLLOW and COMMAND are in the environment, as make sets them.

Exit codes: 0 success, 1 failure, 2 wrong usage or another run is at work, 130 interrupted.
up and check end with the exit code of the healthcheck: 0 OK, 2 Failed, 3 Unknown.
"""

import argparse
import ctypes
import os
import signal
from collections.abc import Sequence

from deployment.errors import UserError
from local import reviewer
from local.containers import DEFAULT, Containers
from local.down import down
from local.hosts import shell
from local.logs import logs
from local.project import STACK, merge_config, parse_config, parse_name
from local.status import check, status
from local.steps import LOCAL_API, RETRY, get_folder, lock_deployment, run_command

# Targets of make; the last two are used only inside recipes.
COMMANDS = ["up", "start", "down", "status", "check", "logs", "shell", "reviewer"]
COMMANDS += ["validate", "architecture"]


def get_value(name: str) -> str:
    return os.environ.get(name, "")


def parse_port(text: str) -> int:
    """Return the port. Raises ArgumentTypeError."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 1 to 65535")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--name", type=parse_name, default=get_value("NAME") or DEFAULT)
    parser.add_argument("--port", type=parse_port, default=get_value("PORT") or None)
    args = parser.parse_args(argv)
    return run_command(lambda: run(args.command, args.name, args.port), 1, LOCAL_API, RETRY)


def run(command: str, name: str, port: int | None) -> int:
    if command == "architecture":
        return print_architecture()
    check_stack(command)
    folder = get_folder(name)
    if command == "reviewer":
        return reviewer.show(folder)
    if command in ("up", "start", "validate"):
        return deploy(command, name, port)
    cloud = Containers(name)
    if command == "down":
        with lock_deployment(folder):
            return down(cloud, folder)
    if command == "status":
        return status(cloud)
    if command == "check":
        return check(cloud)
    if command == "logs":
        return logs(cloud, get_value("HOST"), bool(get_value("FOLLOW")))
    return shell(cloud, get_value("HOST"), get_value("COMMAND"))


def print_architecture() -> int:
    """Print that of the instance type in CONFIG, or in the settings of STACK."""
    from local import program

    config, stack = parse_config(get_value("CONFIG")), get_value("STACK") or STACK
    print(program.load_settings(config, "make image", stack).architecture)
    return 0


def deploy(command: str, name: str, port: int | None) -> int:
    # Pulumi's SDK takes a second to import, so only what uses it waits for that.
    from local import program, up

    folder, config = get_folder(name), parse_config(get_value("CONFIG"))
    if command == "validate":
        program.check(merge_config(folder, config))
        return 0
    with lock_deployment(folder):
        cloud = Containers(name, port)
        return up.up(cloud, folder, config) if command == "up" else up.start_alone(cloud, folder)


def check_stack(command: str) -> None:
    """Raise UserError if STACK names a deployment on AWS."""
    stack = get_value("STACK") or STACK
    if stack != STACK:
        target = {"start": "cloud", "validate": "up"}.get(command, command)
        raise UserError(
            f"make {target} is for the deployment on this machine, and STACK={stack} is on AWS. "
            f"There, pulumi up --stack {stack} deploys, and pulumi stack output --stack {stack} "
            "prints the URL and the dashboard. make image, reach, drift, leftovers, preflight, "
            f"repair and destroy take STACK={stack}"
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
