"""Says whether the service is up and its clock within a second of true time."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import NoReturn

from healthcheck import __version__, reference, telling
from healthcheck.check import DEADLINE, SAMPLES, check
from healthcheck.target import BadUrl, completed, default
from healthcheck.verdict import LIMIT


class Exit(IntEnum):
    """Exit codes, those of the monitoring plugins."""

    OK = 0
    FAILED = 2
    UNKNOWN = 3  # the check itself could not be made; wrong usage too


EPILOG = """exit codes:
  0  OK       the service is up and its clock is proven to be within the limit
  2  Failed   the service is down, or its clock is not proven to be within the limit
  3  Unknown  nothing can be said: the NTP servers contradict each other, or wrong usage
"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(Exit.UNKNOWN, f"{self.prog}: error: {message}\n")


def parser() -> Parser:
    parser = Parser(
        prog="healthcheck",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "url",
        nargs="?",
        help="the service, with or without /now (default: $TIMESERVICE_URL, else the local deployment, "
        "else `pulumi stack output url`)",
    )
    parser.add_argument("--limit", type=_positive, default=LIMIT, help="seconds (default: 1.0)")
    parser.add_argument(
        "--samples", type=int, choices=range(2, 101), metavar="2..100", default=SAMPLES,
        help="requests at most (default: 8)",
    )  # fmt: skip
    parser.add_argument(
        "--deadline", type=_positive, default=DEADLINE, help="seconds for everything (default: 10)"
    )
    parser.add_argument(
        "--ntp", action="append", metavar="HOST[:PORT]",
        help=f"NTP server; repeatable (default: {', '.join(reference.SERVERS)})",
    )  # fmt: skip
    parser.add_argument(
        "--reference", choices=["ntp", "local"], default="ntp",
        help="what true time is: NTP, or this machine's own clock",
    )  # fmt: skip
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    usage = parser()
    args = usage.parse_args(argv)
    url = args.url or default()
    if url is None:
        usage.error(
            "which service? Give its URL, set TIMESERVICE_URL, or start the local deployment (make up)"
        )
    try:
        url = completed(url)
    except BadUrl as wrong:
        usage.error(str(wrong))
    if args.reference == "local":
        ask = functools.partial(reference.own_clock, "chosen")
    else:
        ask = functools.partial(reference.measure, args.ntp or reference.SERVERS)
    result = check(url, ask, args.limit, args.samples, args.deadline)
    print(telling.text(result) if args.format == "text" else telling.record(result), flush=True)
    return {"OK": Exit.OK, "Failed": Exit.FAILED, "Unknown": Exit.UNKNOWN}[result.verdict.status]


if __name__ == "__main__":
    raise SystemExit(main())
