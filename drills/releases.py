"""Drills of releases: good ones, and such as are disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from drills import outcome
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
