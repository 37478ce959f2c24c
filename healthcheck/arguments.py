"""The command line: its arguments, what they may be, and the exit codes that its help explains."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

import sntp
from healthcheck import __version__, reference
from healthcheck.check import DEADLINE, SAMPLES
from healthcheck.verdict import LIMIT


class Exit(IntEnum):
    """Exit codes, those of the monitoring plugins."""

    OK = 0
    FAILED = 2
    UNKNOWN = 3  # the check itself could not be made; wrong usage too


EPILOG = """exit codes:
  0  OK       the service is up and its clock is proven to be within the limit
  2  Failed   the service is down, or its clock is not proven to be within the limit
  3  Unknown  nothing can be said: the NTP servers contradict each other, none answers and the service
              contradicts this machine's own clock, or that was set during the check; also wrong usage,
              and output that cannot be written
With --every, the exit code is that of the last check, and 0 after SIGTERM or Ctrl-C. Each check is told; a
change of the state, which one lost packet does not make, is told on standard error.
With --format nagios, a clock that is not proven to be right or wrong is UNKNOWN (3), not CRITICAL (2).
"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        # It may repeat a URL.
        safe = re.sub(r"//[^\s/]*@", "//", message)
        self.exit(Exit.UNKNOWN, f"{self.prog}: error: {safe}\n")


def parser(formats: Iterable[str]) -> Parser:
    """formats: those that a verdict can be told in."""
    parser = Parser(
        prog="healthcheck",
        description="Says whether the service is up and its clock within a second of true time.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "url",
        nargs="?",
        help="the service, with or without /now (default: $TIMESERVICE_URL)",
    )
    parser.add_argument("--limit", type=seconds, default=LIMIT, help="seconds (default: 1.0)")
    parser.add_argument(
        "--samples", type=samples, default=SAMPLES, help="requests at most, 2 to 100 (default: 8)"
    )
    parser.add_argument(
        "--deadline", type=seconds, default=DEADLINE, help="seconds for everything (default: 10)"
    )
    parser.add_argument(
        "--ntp", type=server, action="append", metavar="HOST[:PORT]",
        help=f"NTP server; repeatable (default: {', '.join(reference.SERVERS)})",
    )  # fmt: skip
    parser.add_argument(
        "--reference", choices=["ntp", "local"], default="ntp",
        help="what true time is: NTP, or this machine's own clock",
    )  # fmt: skip
    parser.add_argument("--format", choices=list(formats), default="text", help="(default: text)")
    parser.add_argument(
        "--output", type=file, metavar="FILE", help="write there instead; the file is always whole"
    )
    parser.add_argument("--every", type=seconds, metavar="SECONDS", help="check again and again")
    parser.add_argument("--count", type=times, help="with --every: how often (default: for ever)")
    parser.add_argument(
        "--failures", type=times, default=2,
        help="with --every: checks in a row that make the state Failed (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--successes", type=times, default=1,
        help="with --every: checks in a row that make the state OK again (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--proxy-from-env", action="store_true",
        help="use the environment's proxies, .netrc and certificates, which are ignored otherwise",
    )  # fmt: skip
    parser.add_argument(
        "--verbose", action="store_true", help="explain the verdict, on standard error"
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def seconds(text: str) -> float:
    """A type for argparse, as the next two; their names are in its messages."""
    value = float(text)
    if not 1e-9 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def samples(text: str) -> int:
    value = int(text)
    if not 2 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 2 to 100")
    return value


def times(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of times")
    return value


def file(text: str) -> Path:
    path = Path(text)
    try:
        fine = bool(path.name) and not path.is_dir()
    except (OSError, ValueError):  # a name too long, a NUL in it
        fine = False
    if not fine:
        raise argparse.ArgumentTypeError(f"{text[:60]!a} is not a file")
    return path


def server(text: str) -> str:
    try:
        sntp.split(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
    return text
