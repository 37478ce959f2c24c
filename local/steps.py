"""How a run works: its folder and its lock, its step lines, and how it waits."""

import fcntl
import itertools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docker.errors import DockerException
from requests import RequestException

from deployment import ROOT
from deployment.errors import UserError
from local.api import REFUSALS
from local.containers import DEFAULT

# What was deployed, in the folder of the deployment. make drift reads this.
SETTINGS = "settings.json"
LOCAL_API = "the local AWS API has stopped or refuses"
RETRY = "\nRun make up when it responds"


class Busy(UserError):
    """Another run holds the lock."""


def get_folder(name: str) -> Path:
    """Return the folder of a deployment in build/; make up writes it and make down removes it."""
    return ROOT / "build" / ("local" if name == DEFAULT else f"local-{name}")


def run_command(command: Callable[[], int], failure: int, api: str, remedy: str = "") -> int:
    """Return the exit code of a command. If it fails, print why and return `failure`.

    api, remedy: the beginning and the end of the message if the AWS API refuses.
    """
    code = 0
    # The reader of standard output, such as head, may leave early, and gets no traceback.
    try:
        code = _attempt(command, failure, api, remedy)
        # At exit, Python would flush too late for the except clause.
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _attempt(command: Callable[[], int], failure: int, api: str, remedy: str) -> int:
    try:
        return command()
    except UserError as error:
        message = str(error)
        if isinstance(error, Busy):
            failure = 2
    except (DockerException, RequestException) as error:
        message = f"the Docker engine has stopped or refuses: {error}{RETRY}"
    except REFUSALS as error:
        message = f"{api}: {error}{remedy}"
    except KeyboardInterrupt:
        message, failure = "interrupted; run the command again", 130
    print(f"\nerror: {message}", file=sys.stderr)
    return failure


@contextmanager
def hold_lock(file: Path, message: str) -> Iterator[None]:
    """Hold a lock on the file. Raises Busy with the message if another process holds it."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(message) from None
        yield


@contextmanager
def lock_deployment(folder: Path) -> Iterator[None]:
    """Hold the lock of the deployment with this folder, and make the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    message = "another make up or make down is at work on this deployment; wait for it"
    with hold_lock(Path(f"{folder}.lock"), message):
        folder.mkdir(exist_ok=True)
        yield


class Step:
    """An open step line. outcome: what the line ends with."""

    outcome = ""


@contextmanager
def step(text: str, watch: Callable[[], str] = lambda: "") -> Iterator[Step]:
    """Print the text, the seconds that the block took, and the outcome or "failed".

    Meanwhile, show the progress: each second on a terminal, else every ten seconds. watch: returns
    what is going on, which is shown as well, and at each change.
    """
    start = time.monotonic()
    line = Step()
    ended = threading.Event()
    ticker = threading.Thread(target=_tick, args=(text, ended, watch), daemon=True)
    ticker.start()
    outcome = "failed"
    try:
        yield line
        outcome = line.outcome
    finally:
        ended.set()
        ticker.join()
        seconds = time.monotonic() - start
        print(f"  {text:<58} {seconds:6.1f} s  {outcome}".rstrip(), flush=True)


def _tick(text: str, ended: threading.Event, watch: Callable[[], str]) -> None:
    terminal = sys.stdout.isatty()
    erase = "\x1b[K\r" if terminal else ""
    before = news = ""
    for seconds in itertools.count():
        if seconds % 3 == 2:
            # The part that is watched may be down. The block itself reports that.
            with suppress(Exception):
                news = watch()
        line = f"  {text:<58} {seconds:4} s"
        if terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"{line}  {news}"[:width].rstrip(), end=erase, flush=True)
        elif news != before:
            print(f"{line}  {news}".rstrip(), flush=True)
        elif seconds and seconds % 10 == 0:
            print(f"{line} so far", flush=True)
        before = news
        if ended.wait(1):
            break
    print(end=erase, flush=True)


def wait_until(is_done: Callable[[], object], seconds: float) -> bool:
    """Return whether the condition came true within that time."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
