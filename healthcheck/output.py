"""Write results in the form, and to the place, that the arguments name."""

import argparse
import contextlib
import errno
import os
import select
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from healthcheck.check import Result
from healthcheck.formats import json, nagios, prometheus, proof, text
from healthcheck.waiting import Bell

FORMATS: dict[str, Callable[[Result], str]] = {
    "text": text.render,
    "json": json.render,
    "nagios": nagios.render,
    "prometheus": prometheus.render,
}
# The exit codes of monitoring plugins, by the status of a verdict or by that of a plugin.
EXITS = {"OK": 0, "WARNING": 1, "Failed": 2, "CRITICAL": 2, "Unknown": 3, "UNKNOWN": 3}
# This is also the exit code for wrong usage, and for output that cannot be written.
EXIT_UNKNOWN = EXITS["Unknown"]


class Reporter:
    """Writes results in the form and to the place that the arguments name.

    has_lost: whether a result could not be written. is_reader_gone: whether no result will be read.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.has_lost = False
        self.is_reader_gone = False
        self._args = args
        self._is_line_cut = False

    def report(self, result: Result) -> int:
        """Write a result; return the exit code. The next result is tried again after a failure."""
        form, output = self._args.format, self._args.output
        if self._args.verbose:
            print_error(proof.render(result))
        content = f"{FORMATS[form](result)}\n".encode()
        try:
            if output is not None:
                write_file(output, content)
            else:
                self._print(content)
        except OSError as error:
            self.has_lost = True
            self.is_reader_gone = isinstance(error, BrokenPipeError)
            place = output or "standard output"
            print_error(f"healthcheck: {place} cannot be written: {error.strerror}")
            return EXIT_UNKNOWN
        return EXITS[nagios.status(result) if form == "nagios" else result.verdict.status]

    def _print(self, content: bytes) -> None:
        """Write to standard output, past Python's buffer, which keeps what a full disk refuses.

        A line that was cut gets its end first, so that each result begins a line.
        """
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        stream = sys.stdout.buffer
        raw = getattr(stream, "raw", stream)
        left = b"\n" + content if self._is_line_cut else content
        while left:
            left = left[raw.write(left) :]
            self._is_line_cut = bool(left)

    def watch_reader(self, stop: Bell) -> None:
        """Ring when the reader of standard output has gone, even while nothing is written."""

        def watch() -> None:
            # No event is asked for, so the kernel reports an error or a hang-up alone.
            watched.poll()
            self.is_reader_gone = True
            stop.ring()

        # A file in memory, or a closed one, has no reader.
        if self._args.output is None:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                watched = select.poll()
                watched.register(sys.stdout.fileno(), 0)
                threading.Thread(target=watch, daemon=True).start()


def write_file(path: Path, content: bytes) -> None:
    """Replace the file by a whole one, or write to a device or a pipe. Raises OSError.

    A file that exists keeps its mode, and its owner if we may give files away.
    """
    # /dev/stdout may lead to a file, which belongs to another process.
    if path.exists() and (not path.is_file() or Path("/dev") in path.absolute().parents):
        path.write_bytes(content)
        return
    # A link stays a link, unless it leads to itself.
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        if target.is_file():
            before = target.stat()
            for owner in (-1, before.st_uid):
                with contextlib.suppress(PermissionError):
                    os.chown(part, owner, before.st_gid)
            part.chmod(stat.S_IMODE(before.st_mode))
        part.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def discard_output() -> None:
    """Discard what could not be printed; Python would print it at its end, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_error(line: str) -> None:
    """Print to standard error, if that is open; print(file=None) would take standard output."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)
