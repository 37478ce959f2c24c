"""The healthcheck's container image: built, run like its users do, and inspected."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import docker
import pytest
from docker.models.containers import Container
from docker.models.images import Image

from healthcheck import __version__
from tests.support.healthcheck_servers import ntp, time_service, web
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.rehearsal

ROOT = Path(__file__).parents[2]
# A name that differs from the users' image and from that of other clones.
TAG = f"rehearsal-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}-healthcheck:{__version__}"
# Python alone takes 45 MB. A third more would show that something is shipped by mistake.
MOST_BYTES = 60_000_000


class Outcome(NamedTuple):
    status: int
    output: str


def make() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "check-image.sh", TAG],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> Iterator[Image]:
    of_image: Any = {"ancestor": TAG}
    for left in engine.containers.list(all=True, filters=of_image):  # by a test that was killed
        left.remove(force=True)
    make()
    image = engine.images.get(TAG)
    yield image
    engine.images.remove(TAG)
    with pytest.raises(docker.errors.ImageNotFound):
        engine.images.get(str(image.id))


class Runner:
    """Runs containers of the image, confined like in the documents, beside this test's servers."""

    def __init__(self, engine: docker.DockerClient, image: Image) -> None:
        self.engine, self.image = engine, image
        self.started: list[Container] = []

    def start(self, *arguments: str, **options: Any) -> Container:
        container = self.engine.containers.run(
            str(self.image.id),
            list(arguments),
            detach=True,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            network_mode="host",
            **options,
        )
        self.started.append(container)
        return container

    def __call__(self, *arguments: str, **options: Any) -> Outcome:
        container = self.start(*arguments, **options)
        status = container.wait(timeout=PATIENCE)["StatusCode"]
        return Outcome(status, container.logs().decode())


@pytest.fixture
def run(engine: docker.DockerClient, image: Image) -> Iterator[Runner]:
    runner = Runner(engine, image)
    yield runner
    for container in runner.started:
        container.remove(force=True)


@pytest.mark.parametrize(("error", "status", "word"), [(0.0, 0, "OK"), (3.0, 2, "Failed")])
def test_its_verdict_is_its_output_and_its_exit_code(
    run: Runner, error: float, status: int, word: str
) -> None:
    with web(time_service(error)) as service, ntp() as server:
        # The URL has a name, because the image must be able to resolve names.
        outcome = run(service.url.replace("127.0.0.1", "localhost"), "--ntp", server.name)
    assert outcome.status == status, outcome.output
    assert outcome.output.startswith(f"{word}: ")
    assert outcome.output.count("\n") == 1


def test_the_url_may_come_from_its_environment(run: Runner) -> None:
    with web(time_service()) as service, ntp() as server:
        outcome = run("--ntp", server.name, environment={"TIMESERVICE_URL": service.url})
    assert outcome.output.startswith("OK: ")


def test_without_a_url_it_says_what_it_needs(run: Runner) -> None:
    outcome = run()
    assert outcome.status == 3
    assert "no URL: give it as the argument or set TIMESERVICE_URL" in outcome.output


def test_it_checks_again_and_again_until_it_is_stopped_and_then_ends_at_once(run: Runner) -> None:
    with web(time_service()) as service, ntp() as server:
        container = run.start(service.url, "--ntp", server.name, "--every", "0.2")
        wait_until(lambda: container.logs().count(b"OK: ") >= 2, container.logs)
        container.kill("SIGTERM")
        assert container.wait(timeout=PATIENCE)["StatusCode"] == 0


def test_https_works_with_the_certificates_that_it_brings(run: Runner) -> None:
    asking = "import requests, ssl; ssl.create_default_context(cafile=requests.certs.where())"
    assert run("-c", asking, entrypoint="/usr/bin/python3.13") == Outcome(0, "")


def test_it_runs_as_nobody_in_particular(run: Runner, image: Image) -> None:
    who = "import os; print(os.getuid(), os.getgid(), *os.getgroups())"
    outcome = run("-c", who, entrypoint="/usr/bin/python3.13")
    assert outcome == Outcome(0, "65532 65532 65532\n")
    assert image.attrs["Config"]["User"] == "65532:65532"


@pytest.fixture
def files(engine: docker.DockerClient, image: Image, tmp_path: Path) -> Iterator[tarfile.TarFile]:
    """Return the image's files."""
    container = engine.containers.create(str(image.id))
    try:
        with (tmp_path / "files.tar").open("wb") as file:
            file.writelines(container.export())  # type: ignore[arg-type]  # of bytes, not str
    finally:
        container.remove()
    with tarfile.open(tmp_path / "files.tar") as archive:
        yield archive


def test_no_program_is_in_it_but_python(files: tarfile.TarFile) -> None:
    """The image has no shell and no package manager. Libraries do not count as programs."""
    programs = {
        member.name
        for member in files
        if member.isfile()
        and member.mode & 0o111
        and ".so" not in member.name
        and is_binary(files, member)
    }
    assert programs == {"usr/bin/python3.13"}


def is_binary(files: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
    content = files.extractfile(member)
    return content is not None and content.read(4) == b"\x7fELF"


def test_nobody_can_change_or_gain_anything_in_it(files: tarfile.TarFile) -> None:
    for member in files:
        assert not member.mode & 0o6000, f"{member.name} is set-uid or set-gid"
        if member.name.startswith("app/"):
            assert member.issym() or not member.mode & 0o022, f"{member.name} can be written by all"
            assert (member.uid, member.gid) == (0, 0), member.name


def test_it_is_small_and_says_what_it_is(image: Image) -> None:
    assert image.attrs["Size"] < MOST_BYTES
    assert image.labels["org.opencontainers.image.title"] == "timeservice-healthcheck"
    assert image.labels["org.opencontainers.image.version"] == __version__


def test_made_again_it_replaces_the_old_one_and_make_down_would_leave_it_alone(
    engine: docker.DockerClient, image: Image
) -> None:
    make()
    with pytest.raises(docker.errors.ImageNotFound):
        engine.images.get(str(image.id))
    assert engine.images.get(TAG).labels["timeservice.build"] == ""
