"""The deployment goes, without a trace."""

from __future__ import annotations

import hashlib

import docker
import pytest
import requests

from drills.clone import Clone
from tests.rehearsal.cloud import LABEL, NAME

pytestmark = pytest.mark.rehearsal


def test_down_leaves_nothing_and_again_does_nothing(
    clone: Clone, engine: docker.DockerClient
) -> None:
    assert clone.make("down").status == 0
    assert engine.containers.list(all=True, filters=LABEL) == []
    assert engine.volumes.list(filters=LABEL) == []
    assert engine.networks.list(filters=LABEL) == []
    built = hashlib.sha256(str(clone.folder).encode()).hexdigest()[:8]
    assert engine.images.list(filters=LABEL) == []
    assert engine.images.list(filters={"label": f"timeservice.build={built}"}) == []
    assert not (clone.folder / "build" / f"local-{NAME}").exists()
    with pytest.raises(requests.ConnectionError):
        requests.get(clone.url, timeout=5)
    done = clone.make("down")
    assert done.status == 0
    assert "Nothing to do" in done.output
