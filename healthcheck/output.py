"""Write results in the form, and to the place, that the arguments name."""

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from healthcheck.check import Result
from healthcheck.formats import json, nagios, prometheus, proof, text

FORMATS: dict[str, Callable[[Result], str]] = {
    "text": text.render,
    "json": json.render,
    "nagios": nagios.render,
    "prometheus": prometheus.render,
}
# The exit codes of monitoring plugins, by the status of a verdict or by that of a plugin.
EXITS = {"OK": 0, "Failed": 2, "CRITICAL": 2, "Unknown": 3, "UNKNOWN": 3}
# Also for wrong usage, and for output that cannot be written.
EXIT_UNKNOWN = EXITS["Unknown"]


def report(result: Result, args: argparse.Namespace) -> int:
    """Write a result as the arguments say; return the exit code."""
    if args.verbose:
        print_error(proof.render(result))
    text = FORMATS[args.format](result)
    try:
        if args.output is not None:
            write_file(args.output, f"{text}\n".encode())
        elif sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        else:
            print(text, flush=True)
    except OSError as error:
        place = args.output or "standard output"
        print_error(f"healthcheck: {place} cannot be written: {error.strerror}")
        return EXIT_UNKNOWN
    return EXITS[nagios.status(result) if args.format == "nagios" else result.verdict.status]


def write_file(path: Path, content: bytes) -> None:
    """Replace the file by a whole one, or write to a device or a pipe; raise OSError."""
    # /dev/stdout may lead to a file, which belongs to another process.
    if path.exists() and (not path.is_file() or Path("/dev") in path.absolute().parents):
        path.write_bytes(content)
        return
    # A link stays a link, unless it leads to itself.
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


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
