"""Drills of releases: good ones, bad ones, and such as are disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drills import outcome
from drills.clocks import false_time
from drills.registry import drill
from drills.scene import RATE, REPLACEMENT, Scene


@drill("a good release")
def good_release(scene: Scene) -> None:
    old = set(scene.states())
    with scene.load(RATE):
        scene.fault()
        scene.new_release()
        done = scene.clone.make("up")
        scene.until_two_healthy(beside=old)
    scene.hold(done.status == 0, "make up succeeds")
    scene.none_failed()
    scene.never_wrong()
    versions = {one.version for one in scene.requests}
    scene.hold(len(versions) == 2, f"both versions are seen, and no other ({len(versions)} were)")
    scene.hold(old.isdisjoint(scene.states()), "the old pair is gone")


def bad(scene: Scene, file: str, old: str, new: str, reason: str) -> None:
    """A release with that change must fail for that reason, and leave no trace."""
    scene.clone.replace(file, old, new)
    try:
        must_fail(scene, reason)
    finally:
        scene.clone.replace(file, new, old)


def must_fail(scene: Scene, reason: str) -> None:
    hosts, stacks = set(scene.states()), scene.stacks()
    with scene.load(RATE):
        scene.fault()
        done = scene.clone.make("up")
        scene.until_two_healthy()
    scene.hold(done.status != 0, "make up fails")
    told = next((line for line in done.output.splitlines() if reason in line), None)
    scene.hold(told is not None, f"the output says {reason!r}")
    scene.note(f"told: {(told or done.output[-300:]).strip()[:300]}")
    scene.none_failed()
    scene.never_wrong()
    scene.hold(set(scene.states()) == hosts, "the old pair is untouched")
    scene.hold(scene.stacks() == stacks, "the stack is rolled back and removed")
    scene.hold(len({one.version for one in scene.requests}) == 1, "nobody sees the bad release")


@drill("a release whose image does not start")
def bad_image(scene: Scene) -> None:
    bad(
        scene,
        "service/Dockerfile",
        '["/usr/bin/python3.13", "-m", "gunicorn"',
        '["/usr/bin/pyhton"',
        "failed while starting the service",
    )


@drill("a release that says 500 on /health")
def bad_health(scene: Scene) -> None:
    bad(
        scene,
        "service/app.py",
        "    def health() -> Response:\n",
        "    def health() -> Response:\n        raise RuntimeError\n",
        "/health said 500",
    )


@drill("a release that never gets ready: it listens elsewhere")
def bad_port(scene: Scene) -> None:
    bad(scene, "service/gunicorn.conf.py", "0.0.0.0:8080", "127.0.0.1:8080", "/health said 000")


@drill("a release whose hosts' clocks are never synchronised, as the time server is silent")
def bad_clock(scene: Scene) -> None:
    scene.new_release()
    with false_time(scene, "mute"):  # a container that has stopped would be started by make up
        must_fail(scene, "failed while waiting for the clock to be synchronised")


@drill("a release whose user data fails")
def bad_user_data(scene: Scene) -> None:
    bad(
        scene,
        "cfn/hosts.yaml",
        "dnf install -y -q docker\n",
        "dnf install -y -q docker-of-tomorrow\n",
        "failed while installing Docker",
    )


@drill("a release whose image archive is missing")
def bad_archive_missing(scene: Scene) -> None:
    scene.new_release()
    with replaced_archive(scene, None):
        must_fail(scene, "failed while loading the image from S3")


@drill("a release whose image archive is corrupt")
def bad_archive_corrupt(scene: Scene) -> None:
    scene.new_release()
    with replaced_archive(scene, b"\x1f\x8b\x08 this is no archive"):
        must_fail(scene, "failed while loading the image from S3")


@contextmanager
def replaced_archive(scene: Scene, content: bytes | None) -> Iterator[None]:
    """Each image that is uploaded from now on is replaced by that content, or deleted."""
    s3 = scene.aws("s3")
    bucket = s3.list_buckets()["Buckets"][0]["Name"]

    def images() -> set[str]:
        found = s3.list_objects_v2(Bucket=bucket, Prefix="images/").get("Contents", [])
        return {one["Key"] for one in found}

    before = images()

    def spoil() -> None:
        for key in images() - before:
            if content is None:
                s3.delete_object(Bucket=bucket, Key=key)
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=content)

    with background(spoil, 0.1):
        yield
    for key in images() - before:  # what is in the bucket is not uploaded again
        s3.delete_object(Bucket=bucket, Key=key)


@drill("two releases, one right after the other")
def release_twice(scene: Scene) -> None:
    old = set(scene.states())
    with scene.load(RATE):
        scene.fault()
        for _ in range(2):
            scene.new_release()
            done = scene.clone.make("up")
            scene.hold(done.status == 0, "make up succeeds")
        scene.until_two_healthy(beside=old)
    scene.none_failed()
    never_short(scene, 0.0)


@drill("a host of the old pair dies during a release")
def release_old_host_dies(scene: Scene) -> None:
    old = set(scene.states())
    with scene.load(RATE):
        release = begun(scene)
        scene.fault()
        scene.hosts(old)[0].kill()
        done = scene.clone.finish(release)
        scene.hold(done.status == 0, "make up succeeds")
        scene.until_two_healthy(beside=old)
    scene.errors_end()
    never_short(scene, REPLACEMENT)


@drill("a host of the new pair dies during its release")
def release_new_host_dies(scene: Scene) -> None:
    old = set(scene.states())
    with scene.load(RATE):
        release = begun(scene)
        scene.until(lambda: len(scene.states()) == 4, 20, "the new hosts are launched")
        time.sleep(3)
        scene.fault()
        scene.hosts(set(scene.states()) - old)[0].kill()
        done = scene.clone.finish(release)
        scene.hold(done.status == 0, "make up succeeds")
        scene.until_two_healthy(beside=old)
    scene.none_failed()
    never_short(scene, 0.0)


@drill("a release that is interrupted (Ctrl-C)")
def release_interrupted(scene: Scene) -> None:
    interrupted(scene, signal.SIGINT)


@drill("a release that is killed (kill -9)")
def release_killed(scene: Scene) -> None:
    interrupted(scene, signal.SIGKILL)


def interrupted(scene: Scene, by: signal.Signals) -> None:
    """The next make up must mend what an interrupted one has left."""
    old = set(scene.states())
    with scene.load(RATE):
        release = begun(scene)
        scene.fault()
        os.killpg(release.pid, by)
        cut = scene.clone.finish(release)
        scene.hold(cut.status != 0, "the release that was cut off does not say that it succeeded")
        done = scene.clone.make("up")
        scene.hold(done.status == 0, "the next make up mends it")
        scene.until_two_healthy(beside=old)
    scene.none_failed()
    scene.hold(len([one for one in scene.stacks() if one.startswith("hosts")]) == 1, "one release")
    never_short(scene, 0.0)


@drill("make down during a release; then the release is killed, and make down again")
def destroy_during_release(scene: Scene) -> None:
    with scene.load(RATE):
        release = begun(scene)
        refused = scene.clone.make("down")
        scene.hold(
            "another make up or make down" in refused.output, "a destroy meanwhile is refused"
        )
        scene.hold(scene.clone.finish(release).status == 0, "and the release succeeds")
        scene.until_two_healthy()
    scene.none_failed()
    release = begun(scene)
    os.killpg(release.pid, signal.SIGKILL)
    scene.clone.finish(release)
    scene.hold(scene.clone.make("down").status == 0, "what was cut off can be destroyed")
    scene.hold(not scene.cloud.leftovers(), f"nothing is left ({scene.cloud.leftovers()})")
    scene.hold(scene.clone.make("up").status == 0, "and deployed again")


def begun(scene: Scene) -> subprocess.Popen[str]:
    """Start a release, and wait until its stack is being made."""
    before = set(scene.stacks())
    scene.new_release()
    release = scene.clone.start("up")
    scene.until(lambda: bool(set(scene.stacks()) - before), 120, "the release's stack is begun")
    return release


def never_short(scene: Scene, seconds: float) -> None:
    """At no time fewer healthy hosts than a pair for longer than that."""
    longest = outcome.longest_short(scene.seen)
    scene.hold(
        longest <= seconds,
        f"fewer than two healthy hosts for {seconds:.0f} s at most ({longest:.1f} s)",
    )


@contextmanager
def background(action: Callable[[], None], period: float) -> Iterator[None]:
    """Do that again and again while the block runs."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(period):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
