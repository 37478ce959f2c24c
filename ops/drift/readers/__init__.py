"""Readers of every type of resource that the templates make, by type."""

from __future__ import annotations

from ops.drift.readers import identity, serving, storage, vpc, watching
from ops.drift.readers.reader import Reader

READERS: dict[str, Reader] = {
    **vpc.READERS,
    **serving.READERS,
    **identity.READERS,
    **storage.READERS,
    **watching.READERS,
}
