"""Tells results in the form, and to the place, that the arguments name."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from healthcheck import exposition, plugin, proof, telling
from healthcheck.arguments import Exit
from healthcheck.check import Result

EXITS = {"OK": Exit.OK, "Failed": Exit.FAILED, "Unknown": Exit.UNKNOWN}
PLUGIN_EXITS = {"OK": Exit.OK, "CRITICAL": Exit.FAILED, "UNKNOWN": Exit.UNKNOWN}
FORMATS: dict[str, Callable[[Result], str]] = {
    "text": telling.text,
    "json": telling.record,
    "nagios": plugin.line,
    "prometheus": exposition.text,
}


class Teller:
    """Tells results as the arguments say."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args

    def told(self, result: Result) -> Exit:
        """Returns the exit code."""
        args = self._args
        if args.verbose:
            complain(proof.text(result))
        text = FORMATS[args.format](result)
        if not (written(f"{text}\n".encode(), args.output) if args.output else printed(text)):
            return Exit.UNKNOWN
        if args.format == "nagios":
            return PLUGIN_EXITS[plugin.status(result)]
        return EXITS[result.verdict.status]


def written(content: bytes, path: Path) -> bool:
    """Write the file whole, then put it in its place; False if that fails. What is no file is written to as it is."""
    try:
        # A device, a pipe; /dev/stdout may lead to a file, which is another's to replace.
        if path.exists() and (not path.is_file() or Path("/dev") in path.absolute().parents):
            path.write_bytes(content)
        else:
            replaced(path.resolve(), content)  # where a link leads to: it stays one
    except OSError as trouble:
        complain(f"healthcheck: {path} cannot be written: {trouble.strerror}")
        return False
    return True


def replaced(path: Path, content: bytes) -> None:
    """Put a file with that content in the place of `path`; raises OSError, and then leaves nothing behind."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def printed(line: str) -> bool:
    """Print it; False if nobody can read it (a closed pipe, a full disk, no output at all)."""
    if sys.stdout is None:
        complain("healthcheck: nothing can be printed: the output is closed")
        return False
    try:
        print(line, flush=True)
    except OSError as trouble:
        complain(f"healthcheck: nothing can be printed: {trouble.strerror}")
        # Python would try once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def complain(line: str) -> None:
    """Say it on standard error, if that is open: without one, print would take standard output."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)
