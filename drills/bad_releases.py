"""Drills of releases that must fail: each says why, leaves no trace, and is seen by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from drills.background import background
from drills.clock_faults import false_time
from drills.registry import drill
from drills.scene import RATE, Scene


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
        "service/views.py",
        "def health() -> Response:\n",
        "def health() -> Response:\n    raise RuntimeError\n",
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
