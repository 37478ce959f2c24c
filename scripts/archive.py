"""Print what `docker save` wrote, as the same bytes for the same content: archive.py SAVED.

The time, the clone and the version of the engine leave no trace.
"""

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

# What a Dockerfile sets. Labels mark what belongs to this clone, in its engine alone.
SETTINGS = ("Entrypoint", "Env", "ExposedPorts", "StopSignal", "User", "WorkingDir")


def normalize(saved: Path, output: IO[bytes]) -> None:
    """Write the saved image to a stream, under a name that comes from its content."""
    with tarfile.open(saved) as old, tarfile.open(fileobj=output, mode="w|") as new:
        (manifest,) = json.load(_open(old, "manifest.json"))
        config = json.load(_open(old, manifest["Config"]))
        digests = [_add_layer(_open(old, name), new) for name in manifest["Layers"]]
        content = {
            "architecture": config["architecture"],
            "os": config["os"],
            "created": "1970-01-01T00:00:00Z",
            "config": {key: config["config"].get(key) for key in SETTINGS},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        }
        _add_json("config.json", content, new)
        image = {
            "Config": "config.json",
            "RepoTags": [f"timeservice:{digests[-1][:12]}"],
            "Layers": [f"{digest}.tar" for digest in digests],
        }
        _add_json("manifest.json", [image], new)


def _open(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    content = archive.extractfile(name)
    if content is None:
        raise ValueError(f"{name} is no file of the image")
    return content


def _add_layer(saved: IO[bytes], archive: tarfile.TarFile) -> str:
    """Add a layer, without times and with files of root alone; return its digest."""
    with TemporaryFile() as file:
        with tarfile.open(fileobj=saved) as old, tarfile.open(fileobj=file, mode="w") as new:
            for entry in old:
                entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
                entry.pax_headers = {}
                new.addfile(entry, old.extractfile(entry) if entry.isreg() else None)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        _add(f"{digest}.tar", file, archive)
    return digest


def _add_json(name: str, content: object, archive: tarfile.TarFile) -> None:
    _add(name, io.BytesIO(json.dumps(content, sort_keys=True).encode()), archive)


def _add(name: str, file: IO[bytes], archive: tarfile.TarFile) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = file.seek(0, io.SEEK_END)
    file.seek(0)
    archive.addfile(entry, file)


if __name__ == "__main__":
    normalize(Path(sys.argv[1]), sys.stdout.buffer)
