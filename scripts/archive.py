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

# These fields differ between two builds. Labels matter only in the engine of this clone.
OF_A_BUILD = ("Hostname", "Image", "Labels")


def normalize(saved: Path, output: IO[bytes]) -> None:
    """Write the saved image to a stream, under a name that comes from its content."""
    with tarfile.open(saved) as old, tarfile.open(fileobj=output, mode="w|") as new:
        (manifest,) = json.load(old.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(old.extractfile(manifest["Config"]))  # type: ignore[arg-type]
        digests = [_add_layer(old.extractfile(name), new) for name in manifest["Layers"]]
        settings = config["config"].items()
        content = {
            "architecture": config["architecture"],
            "os": config["os"],
            "created": "1970-01-01T00:00:00Z",
            "config": {key: value for key, value in settings if value and key not in OF_A_BUILD},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        }
        image = {
            "Config": "config.json",
            "RepoTags": [f"timeservice:{digests[-1][:12]}"],
            "Layers": [f"{digest}.tar" for digest in digests],
        }
        for file, value in (("config.json", content), ("manifest.json", [image])):
            _add(file, io.BytesIO(json.dumps(value, sort_keys=True).encode()), new)


def _add_layer(saved: IO[bytes] | None, archive: tarfile.TarFile) -> str:
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


def _add(name: str, file: IO[bytes], archive: tarfile.TarFile) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = file.seek(0, io.SEEK_END)
    file.seek(0)
    archive.addfile(entry, file)


if __name__ == "__main__":
    normalize(Path(sys.argv[1]), sys.stdout.buffer)
