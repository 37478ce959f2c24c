"""make down removes the deployment without a trace, also after a command that was killed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import docker
import pytest
import requests

from drills.clone import Clone
from tests.rehearsal.cloud import LABEL, NAME, hosts, kill_make
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.rehearsal


def check_that_nothing_is_left(clone: Clone, engine: docker.DockerClient) -> None:
    """Look without make leftovers first, and then run it."""
    assert engine.containers.list(all=True, filters=LABEL) == []
    assert engine.volumes.list(filters=LABEL) == []
    assert engine.networks.list(filters=LABEL) == []
    built = hashlib.sha256(str(clone.folder).encode()).hexdigest()[:8]
    assert engine.images.list(filters=LABEL) == []
    assert engine.images.list(filters={"label": f"timeservice.build={built}"}) == []
    assert not (clone.folder / "build" / f"local-{NAME}").exists()
    assert str(clone.folder) not in Path("/proc/self/mounts").read_text()
    done = clone.make("leftovers")
    assert done.status == 0
    assert "Nothing is left." in done.output


def test_leftovers_of_what_is_up_are_all_of_it(clone: Clone) -> None:
    done = clone.make("leftovers")
    assert done.status != 0
    assert (
        f"{NAME!r} is up: timeservice-local is deployed there, and make down removes it."
        in done.output
    )
    for line in (
        f"container {NAME}-api: ",
        "cloudformation:stack timeservice-local-artifacts: ",
        "ec2:vpc vpc-",
        "s3:bucket timeservice-",
    ):
        assert f"\n  {line}" in done.output


def test_down_deletes_through_the_api_and_leaves_nothing_and_again_does_nothing(
    clone: Clone, engine: docker.DockerClient
) -> None:
    bridges = [f"br-{str(network.id)[:12]}" for network in engine.networks.list(filters=LABEL)]
    assert set(bridges) <= set(os.listdir("/sys/class/net"))
    done = clone.make("down")
    assert done.status == 0
    deleted = [
        line.split()[1].split("-")[2]
        for line in done.output.splitlines()
        if "  stack timeservice" in line
    ]
    assert deleted == ["hosts", "healthcheck", "balancer", "network", "artifacts"]
    words = {
        line.rstrip().rpartition(" ")[2]
        for line in done.output.splitlines()
        if "  hosts, drained" in line
    }
    assert words == {"gone"}
    (left,) = (line for line in done.output.splitlines() if "  what the AWS API has left" in line)
    assert left.endswith("s  nothing")
    check_that_nothing_is_left(clone, engine)
    assert set(bridges).isdisjoint(os.listdir("/sys/class/net"))
    save = ["iptables-save"] if os.geteuid() == 0 else ["sudo", "iptables-save"]
    rules = subprocess.run(save, capture_output=True, text=True, check=True).stdout
    assert not [bridge for bridge in bridges if bridge in rules]
    with pytest.raises(requests.ConnectionError):
        requests.get(clone.url, timeout=PATIENCE)
    done = clone.make("down")
    assert done.status == 0
    assert "Nothing to do" in done.output


def test_another_s_container_of_such_a_name_is_neither_used_nor_removed(
    clone: Clone, engine: docker.DockerClient
) -> None:
    """The container comes from an empty image, because it need not run."""
    empty_archive = bytes(10240)
    engine.api.import_image_from_data(empty_archive, repository="nothing", tag=NAME)
    foreign = engine.containers.create(f"nothing:{NAME}", command="x", name=f"{NAME}-api")
    try:
        done = clone.make("up")
        assert done.status != 0
        assert "something else has a name of this deployment" in done.output
        assert f"{NAME}-api" in done.output
        assert clone.make("down").status == 0
        foreign.reload()  # the container still exists
        check_that_nothing_is_left(clone, engine)
    finally:
        foreign.remove(force=True)
        engine.images.remove(f"nothing:{NAME}")


@pytest.mark.parametrize(
    ("at", "alone"),
    [
        ("local cloud's image: build", False),
        ("stack timeservice-local-artifacts", True),
    ],
)
def test_an_up_that_is_killed_leaves_nothing_that_down_does_not_remove(
    clone: Clone, engine: docker.DockerClient, at: str, alone: bool
) -> None:
    kill_make(clone, "up", at, alone=alone)
    assert clone.make("leftovers").status != 0
    assert clone.make("down").status == 0
    check_that_nothing_is_left(clone, engine)


def test_a_down_that_is_killed_is_finished_by_the_next(
    clone: Clone, engine: docker.DockerClient
) -> None:
    """Its hosts boot meanwhile, and only the controller knows them yet."""
    kill_make(clone, "up", "stack timeservice-local-hosts", until=lambda: hosts(engine))
    kill_make(clone, "down", "what the AWS API has left")
    assert clone.make("leftovers").status != 0
    assert clone.make("down").status == 0
    check_that_nothing_is_left(clone, engine)


def test_a_build_of_an_image_that_is_killed_leaves_no_trace_outside_of_the_clone(
    clone: Clone, engine: docker.DockerClient
) -> None:
    """This test comes last, because the image is missing after it."""

    def list_unpacked() -> list[Path]:
        return list((clone.folder / "build/tmp").glob("mmdebstrap.*/proc"))

    before = set(Path(tempfile.gettempdir()).glob("mmdebstrap*"))
    (clone.folder / "build/cloud-base.tar").unlink()
    kill_make(clone, "up", "local cloud's image", until=list_unpacked)
    assert list_unpacked() != []
    assert clone.make("down").status == 0
    assert list_unpacked() == []
    check_that_nothing_is_left(clone, engine)
    assert set(Path(tempfile.gettempdir()).glob("mmdebstrap*")) <= before
