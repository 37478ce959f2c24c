"""The command line: its options, and the help that explains the exit codes."""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import sntp
from healthcheck import __version__, reference
from healthcheck.check import DEADLINE, SAMPLES
from healthcheck.output import EXIT_UNKNOWN, FORMATS
from healthcheck.verdict import LIMIT

EPILOG = """exit codes:
  0  OK       the service is up, and its clock is within the limit: proven, or assumed if no NTP
              server responds (the result then names this machine's clock as the reference)
  2  Failed   the service is down, or its clock is not proven to be within the limit
  3  Unknown  nothing can be stated: the NTP servers contradict each other; no NTP server responds,
              and the service contradicts this machine's clock; this machine slept, or its clock was
              set or is too wrong; the usage is wrong; the output cannot be written
With --every, each result is printed. The exit code is that of the last check. It is 0 after SIGTERM
or Ctrl-C, and 3 if a result could not be written. The check ends when its reader has gone.
With --format nagios, a clock that is neither proven right nor wrong is UNKNOWN (3). OK becomes
WARNING (1) if fewer than N hosts responded or one may have been missed.
"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        # The message may repeat a URL with a password.
        safe = re.sub(r"(?s)(//.*|\S*)@", "", message)
        self.exit(EXIT_UNKNOWN, f"{self.prog}: error: {safe}\n")


def create_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="healthcheck",
        description="Check that the service is up and its clock within a second of true time.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    help_ = "the service, with or without /now (default: $TIMESERVICE_URL)"
    add("url", nargs="?", default=os.environ.get("TIMESERVICE_URL") or None, help=help_)
    help_ = "how far a clock may be off (default: 1)"
    add("--limit", type=parse_seconds, default=LIMIT, metavar="SECONDS", help=help_)
    help_ = "hosts that must respond (default: 1); the check continues until it has seen N"
    add("--instances", type=whole_number(1, 100), default=1, metavar="N", help=help_)
    help_ = "report Failed, not OK, if fewer than N hosts responded or one may have been missed"
    add("--strict", action="store_true", help=help_)
    help_ = f"requests at most, from 2 to 1000 (default: {SAMPLES})"
    add("--samples", type=whole_number(2, 1000), default=SAMPLES, metavar="N", help=help_)
    help_ = "time for the whole check (default: 10)"
    add("--deadline", type=parse_seconds, default=DEADLINE, metavar="SECONDS", help=help_)
    help_ = f"an NTP server; may be repeated (default: {', '.join(reference.SERVERS)})"
    add("--ntp", type=parse_server, action="append", metavar="HOST[:PORT]", help=help_)
    help_ = "where true time comes from: NTP servers, or this machine's clock (default: ntp)"
    add("--reference", choices=["ntp", "local"], default="ntp", help=help_)
    help_ = "form of the result (default: text)"
    add("--format", choices=list(FORMATS), default="text", help=help_)
    help_ = "replace FILE by the result; a reader never sees half of a file"
    add("--output", type=Path, metavar="FILE", help=help_)
    add("--every", type=parse_seconds, metavar="SECONDS", help="check again every SECONDS")
    help_ = "with --every: end after N checks"
    add("--count", type=whole_number(1, 1_000_000_000), metavar="N", help=help_)
    help_ = "use the environment's proxies, .netrc and certificates; ignored by default"
    add("--proxy-from-env", action="store_true", help=help_)
    add("--verbose", action="store_true", help="explain the verdict on standard error")
    add("--version", action="version", version=__version__)
    return parser


# The message of each type names the value that it refuses, and the values that it accepts.


def parse_seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 1e-9 <= float(text) < 1e6:
            return float(text)
    raise argparse.ArgumentTypeError(
        f"{text} is not a number of seconds above 0 and below 1,000,000"
    )


def whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        with contextlib.suppress(ValueError):
            if least <= int(text) <= most:
                return int(text)
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from {least} to {most}")

    return parse


def parse_server(text: str) -> str:
    try:
        sntp.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
