"""Drills of releases that must fail: each reports why, leaves no trace, and reaches no client."""

from drills.clocks import false_time
from drills.trial import Trial, drill, repeat


@drill("a release whose image does not start")
def bad_image(trial: Trial) -> None:
    gunicorn, missing = '["/usr/bin/python3.13", "-m", "gunicorn"', '["/usr/bin/pyhton"'
    change_badly(
        trial, "service/Dockerfile", gunicorn, missing, "failed while starting the service"
    )


@drill("a release that returns 500 on /health")
def bad_health(trial: Trial) -> None:
    health = "def health() -> Response:\n"
    broken = f"{health}    raise RuntimeError\n"
    change_badly(trial, "service/views.py", health, broken, "/health returned 500")


@drill("a release that never gets ready: it listens elsewhere")
def bad_port(trial: Trial) -> None:
    address, elsewhere = "0.0.0.0:8080", "127.0.0.1:8080"
    change_badly(trial, "service/gunicorn.conf.py", address, elsewhere, "/health returned 000")


@drill("a release whose hosts' clocks are never synchronised, because the time server is silent")
def bad_clock(trial: Trial) -> None:
    trial.edit_release()
    # make up would start a time server that is stopped.
    with false_time(trial, "mute"):
        release_badly(trial, "failed while waiting for the clock to be synchronised")


@drill("a release whose user data fails")
def bad_user_data(trial: Trial) -> None:
    install, missing = "kernel-livepatch docker\n", "kernel-livepatch docker-of-tomorrow\n"
    change_badly(trial, "cfn/hosts.yaml", install, missing, "failed while installing Docker")


@drill("a release whose image archive is missing")
def bad_archive_missing(trial: Trial) -> None:
    release_with_archive(trial, None)


@drill("a release whose image archive is corrupt")
def bad_archive_corrupt(trial: Trial) -> None:
    release_with_archive(trial, b"\x1f\x8b\x08 this is no archive")


def release_with_archive(trial: Trial, content: bytes | None) -> None:
    """Expect a release to fail whose image in the bucket is replaced by `content`, or deleted."""
    s3 = trial.aws("s3")
    bucket = s3.list_buckets()["Buckets"][0]["Name"]

    def images() -> set[str]:
        objects = s3.list_objects_v2(Bucket=bucket, Prefix="images/").get("Contents", [])
        return {image["Key"] for image in objects}

    before = images()

    def spoil() -> None:
        for key in images() - before:
            if content is None:
                s3.delete_object(Bucket=bucket, Key=key)
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=content)

    trial.edit_release()
    with repeat(spoil, 0.1):
        release_badly(trial, "failed while loading the image from S3")
    # The next release would not upload an image that is in the bucket.
    for key in images() - before:
        s3.delete_object(Bucket=bucket, Key=key)


def change_badly(trial: Trial, file: str, old: str, new: str, reason: str) -> None:
    """Expect a release with a change to fail for a reason."""
    trial.clone.replace(file, old, new)
    try:
        release_badly(trial, reason)
    finally:
        trial.clone.replace(file, new, old)


def release_badly(trial: Trial, reason: str) -> None:
    """Expect a release to fail for a reason, and to change nothing."""
    stacks = trial.stacks()
    with trial.load():
        done = trial.clone.make("up")
        trial.wait_until_two_healthy()
    trial.expect(done.status != 0, "make up fails")
    lines = [line.strip() for line in done.output.splitlines() if reason in line]
    trial.expect(bool(lines), f"the output has {reason!r}")
    report = lines[0] if lines else done.output[-300:]
    trial.notes.append(f"reported: {report[:300]}")
    trial.expect_no_failure()
    trial.expect_same_hosts()
    trial.expect(trial.stacks() == stacks, "the stack is rolled back and removed")
    versions = {request.version for request in trial.requests}
    trial.expect(len(versions) == 1, "no client sees the bad release")
