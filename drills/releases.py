"""Drills of releases: good ones, and releases that are disturbed."""

import os
import signal
import subprocess
import time

from drills.outcome import two_healthy
from drills.trial import REPLACEMENT, TWO_CHECKS, Trial, drill


@drill("a good release")
def good_release(trial: Trial) -> None:
    with trial.load():
        trial.release()
        trial.wait_until_two_healthy(without=trial.pair)
    trial.expect_no_failure()
    trial.expect_never_short()
    versions = len({request.version for request in trial.requests})
    trial.expect(versions == 2, f"clients see both versions and no other ({versions})")
    trial.expect(trial.pair.isdisjoint(trial.states()), "the old pair is gone")


@drill("a host of the old pair dies during a release")
def release_old_host_dies(trial: Trial) -> None:
    old = trial.hosts()[0]
    with trial.load():
        release = start_release(trial)
        trial.mark_fault()
        old.kill()
        finish_release(trial, release)
    trial.expect_errors_end(TWO_CHECKS)
    short = two_healthy(trial.looks, trial.fault_at) or 0.0
    trial.expect(short <= REPLACEMENT, f"two hosts are healthy again in time ({short} s)")


@drill("a host of the new pair dies during its release")
def release_new_host_dies(trial: Trial) -> None:
    with trial.load():
        release = start_release(trial)
        trial.wait_until(lambda: len(trial.states()) == 4, 20, "the new hosts are launched")
        time.sleep(3)
        trial.mark_fault()
        trial.new_hosts()[0].kill()
        finish_release(trial, release)
    trial.expect_no_failure()
    trial.expect_never_short()


@drill("a release that is interrupted (Ctrl-C)")
def release_interrupted(trial: Trial) -> None:
    cut_off(trial, signal.SIGINT)


@drill("a release that is killed (kill -9)")
def release_killed(trial: Trial) -> None:
    cut_off(trial, signal.SIGKILL)


def cut_off(trial: Trial, by: signal.Signals) -> None:
    """End a release by a signal; the next make up must complete it."""
    with trial.load():
        release = start_release(trial)
        trial.mark_fault()
        os.killpg(release.pid, by)
        cut = trial.clone.finish(release)
        trial.expect(cut.status != 0, "the release that was cut off fails")
        done = trial.clone.make("up")
        trial.expect(done.status == 0, "the next make up succeeds")
        trial.wait_until_two_healthy(without=trial.pair)
    trial.expect_no_failure()
    releases = [name for name in trial.stacks() if name.startswith("hosts")]
    trial.expect(len(releases) == 1, "one release is left")
    trial.expect_never_short()


@drill("make down during a release; then the release is killed, and make down again")
def destroy_during_release(trial: Trial) -> None:
    with trial.load():
        release = start_release(trial)
        refused = "another make up or make down" in trial.clone.make("down").output
        trial.expect(refused, "make down is refused during a release")
        finish_release(trial, release)
    trial.expect_no_failure()
    release = start_release(trial)
    os.killpg(release.pid, signal.SIGKILL)
    trial.clone.finish(release)
    trial.expect(
        trial.clone.make("down").status == 0, "make down removes a release that was killed"
    )
    left = trial.cloud.leftovers()
    trial.expect(not left, f"nothing is left ({left})")
    trial.expect(trial.clone.make("up").status == 0, "make up succeeds again")


def start_release(trial: Trial) -> subprocess.Popen[str]:
    """Start a release, and wait until its stack is there."""
    before = set(trial.stacks())
    trial.edit_release()
    release = trial.clone.start("up")
    trial.wait_until(lambda: bool(trial.stacks().keys() - before), 120, "the release has a stack")
    return release


def finish_release(trial: Trial, release: subprocess.Popen[str]) -> None:
    """Wait for a release, which must succeed, and for its hosts."""
    trial.expect(trial.clone.finish(release).status == 0, "make up succeeds")
    trial.wait_until_two_healthy(without=trial.pair)
