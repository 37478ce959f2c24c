"""Write results in the form, and to the place, that the arguments name."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from healthcheck.check import Result
from healthcheck.formats import json, nagios, prometheus, proof, text

FORMATS: dict[str, Callable[[Result], str]] = {
    "text": text.render,
    "json": json.render,
    "nagios": nagios.render,
    "prometheus": prometheus.render,
}


class Exit(IntEnum):
    """The exit codes of monitoring plugins."""

    OK = 0
    FAILED = 2
    # Also for wrong usage, and for output that cannot be written.
    UNKNOWN = 3


# By the status of a verdict, or by that of a monitoring plugin.
EXITS = {
    "OK": Exit.OK,
    "Failed": Exit.FAILED,
    "Unknown": Exit.UNKNOWN,
    "CRITICAL": Exit.FAILED,
    "UNKNOWN": Exit.UNKNOWN,
}


def report(result: Result, args: argparse.Namespace) -> Exit:
    """Write a result as the arguments say; return the exit code."""
    if args.verbose:
        print_error(proof.render(result))
    if not write_output(FORMATS[args.format](result), args.output):
        return Exit.UNKNOWN
    status = nagios.status(result) if args.format == "nagios" else result.verdict.status
    return EXITS[status]


def write_output(text: str, path: Path | None) -> bool:
    """Replace the file by a whole one, or write to a device or a pipe, or print the text.

    Return False, with a message on standard error, if that fails.
    """
    if path is None:
        return print_line(text)
    content = f"{text}\n".encode()
    try:
        # /dev/stdout may lead to a file, which belongs to another process.
        if path.exists() and (not path.is_file() or Path("/dev") in path.absolute().parents):
            path.write_bytes(content)
        else:
            # A link stays a link, unless it leads to itself.
            replace_file(Path(os.path.realpath(path)), content)
    except OSError as error:
        print_error(f"healthcheck: {path} cannot be written: {error.strerror}")
        return False
    return True


def replace_file(path: Path, content: bytes) -> None:
    """Write a new file, then rename it to `path`; raise OSError, and leave nothing behind then."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def print_line(line: str) -> bool:
    """Print the line; return False if the output is closed, a full disk or a broken pipe."""
    if sys.stdout is None:
        print_error("healthcheck: nothing can be printed: the output is closed")
        return False
    try:
        print(line, flush=True)
    except OSError as error:
        print_error(f"healthcheck: nothing can be printed: {error.strerror}")
        return False
    return True


def discard_output() -> None:
    """Discard what could not be printed; Python would print it at its end, and complain."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(line: str) -> None:
    """Print to standard error, if that is open; print(file=None) would take standard output."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)
