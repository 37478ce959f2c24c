"""`python -m tests.service.abuse`: plays the table of abuse against a deployment, and prints a line for each row.

Exit codes: 0 all as it shall be, 1 something is not, 2 wrong usage, or nobody answers there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from deployment.errors import UserError
from local.containers import DEFAULT, Containers
from tests.service.abuse.wire import ROWS, Address, Played, play_all, serving


def main(arguments: Sequence[str] | None = None) -> int:
    args = _arguments(arguments)
    try:
        where = _address(args.url or _local(args.name))
        _honest(where)
    except UserError as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return 2
    played = play_all(
        where, balanced=not args.alone, rows=[one for one in ROWS if args.only in one.name]
    )
    for one in played:
        print(_line(one))
    failed = sum(bool(one.faults) for one in played)
    print(
        f"{len(played)} abusive requests to {where[0]}:{where[1]}, {failed} of them with a wrong outcome"
    )
    return 1 if failed else 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.service.abuse",
        description="Send what nobody should send, and look at what comes back. For deployments of your own alone: "
        "to anybody else's, this is an attack.",
    )
    parser.add_argument("--url", help="of the service, http (default: the local deployment)")
    parser.add_argument(
        "--name", default=os.environ.get("NAME") or DEFAULT,
        help="of the deployment in the local cloud (default: $NAME, else %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--alone", action="store_true", help="there is no balancer before it: make run"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has this in it")
    return parser.parse_args(arguments)


def _local(name: str) -> str:
    containers = Containers(name)
    containers.address("balancer")  # raises if it is not up
    return f"http://127.0.0.1:{containers.port}"


def _address(url: str) -> Address:
    try:
        parts = urlsplit(url)
        address = parts.hostname or "", parts.port or 80
    except ValueError:
        parts, address = None, ("", 0)
    if not parts or parts.scheme != "http" or not address[0]:
        raise UserError(f"{url} is no URL such as http://127.0.0.1:8080")
    return address


def _honest(where: Address) -> None:
    try:
        trouble = serving(where)
    except OSError as refused:
        trouble = [refused.strerror or str(refused)]
    if trouble:
        raise UserError(f"there is no time service at {where[0]}:{where[1]}: {trouble[0]}")


def _line(one: Played) -> str:
    verdict = "WRONG" if one.faults else "ok"
    told = "; ".join(one.faults) if one.faults else one.row.why
    return f"{verdict:5} {one.outcome:8} {one.row.name[:60]:60} {told}"


if __name__ == "__main__":
    raise SystemExit(main())
