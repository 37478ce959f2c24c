"""The Docker engine that the local cloud's hosts run on."""

from __future__ import annotations

from functools import cache

import docker


@cache
def engine() -> docker.DockerClient:
    """A client of it, made when it is needed, as making one asks the engine: a module that did so while it is imported
    could not be tested where none runs."""
    return docker.from_env()
