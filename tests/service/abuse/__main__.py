"""`python -m tests.service.abuse --url URL`: sends the table of abuse, and prints a line a row.

Exit codes: 0 all outcomes are right, 1 some are wrong, 2 wrong usage or no time service there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from tests.service.abuse.wire import ROWS, Address, Result, find_faults, send_rows


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse_arguments(arguments)
    try:
        address = parse_address(args.url)
        faults = find_faults(address)
    except (ValueError, OSError) as error:
        return report_error(str(error))
    if faults:
        return report_error(faults[0])
    rows = [row for row in ROWS if args.only in row.name]
    results = send_rows(address, balanced=not args.alone, rows=rows)
    for result in results:
        print(format_result(result))
    wrong = sum(bool(result.faults) for result in results)
    print(f"{len(results)} abusive requests to {args.url}, {wrong} with a wrong outcome")
    return 1 if wrong else 0


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.service.abuse",
        description="Send malformed and hostile requests, and look at the responses. Only for"
        " deployments of your own: to another's, this is an attack.",
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8080", help="of the service (default: %(default)s)"
    )
    parser.add_argument(
        "--alone", action="store_true", help="there is no balancer before it: make run"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with this in their name")
    return parser.parse_args(arguments)


def parse_address(url: str) -> Address:
    """Return host and port; raise ValueError."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url} is no URL such as http://127.0.0.1:8080")
    return parts.hostname, parts.port or 80


def report_error(message: str) -> int:
    print(f"error: there is no time service: {message}", file=sys.stderr)
    return 2


def format_result(result: Result) -> str:
    verdict = "WRONG" if result.faults else "ok"
    reason = "; ".join(result.faults) if result.faults else result.row.why
    return f"{verdict:5} {result.outcome:8} {result.row.name[:60]:60} {reason}"


if __name__ == "__main__":
    raise SystemExit(main())
