"""Archives of files that are only in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping


def pack_tar(files: Mapping[str, str | bytes], time: int = 0, owner: int = 0) -> bytes:
    """Return a tar archive of these files, in their order. time: Unix seconds. owner: a user id."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.uid, entry.mode = len(data), time, owner, 0o755
            packed.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
