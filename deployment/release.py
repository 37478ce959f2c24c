"""What makes a release: the archives that the program uploads, and a digest over all that its hosts are made of.

Also a command: `python -m deployment.release image|package` prints the digest of what an archive is made from.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import NamedTuple

from deployment import ROOT
from deployment.errors import UserError

DIGEST_LENGTH = 12  # hex digits: 48 bits tell releases apart, and fit into names


class OutdatedArchive(UserError):
    """An archive is missing or was made from other sources; the text names the command that makes it."""


class Archive(NamedTuple):
    """A file to upload, and the digest of the sources that it was made from."""

    path: Path
    digest: str


# what is made -> (the files and folders it is made from and by, the file, the command that makes it)
ARCHIVES = {
    "image": (
        (
            "service",
            "sntp.py",
            "scripts/image.sh",
            "scripts/python-image.sh",
            "scripts/debian.sh",
            "scripts/common.sh",
        ),
        "image.tar.gz",
        "make image",
    ),
    "package": (
        ("healthcheck", "sntp.py", "scripts/package.sh", "scripts/common.sh"),
        "healthcheck.zip",
        "make package",
    ),
}


def sources(kind: str, root: Path) -> list[Path]:
    """All files that an archive is made from, caches left out."""
    found = []
    for name in ARCHIVES[kind][0]:
        found += [root / name, *sorted((root / name).rglob("*"))]
    return [path for path in found if path.is_file() and not _is_cache(path.relative_to(root))]


def _is_cache(name: Path) -> bool:
    return any(part.startswith(("__pycache__", ".")) for part in name.parts)


def source_digest(kind: str, root: Path = ROOT) -> str:
    """Digest over the paths and contents of an archive's sources."""
    digest = hashlib.sha256()
    for path in sources(kind, root):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:DIGEST_LENGTH]


def archive(kind: str, root: Path = ROOT) -> Archive:
    """The archive of that kind; raises OutdatedArchive if it is missing or not of the present sources."""
    _, name, command = ARCHIVES[kind]
    path = root / "build" / name
    made_from = path.parent / (name.split(".")[0] + ".digest")
    if not path.exists() or not made_from.exists():
        raise OutdatedArchive(f"build/{name} is missing: run `{command}` first")
    digest = source_digest(kind, root)
    if made_from.read_text().strip() != digest:
        raise OutdatedArchive(
            f"what build/{name} is made from has changed since it was made: run `{command}`"
        )
    return Archive(path, digest)


def release_digest(*ingredients: str | bytes) -> str:
    """One digest over everything that makes a release; the order counts."""
    digest = hashlib.sha256()
    for ingredient in ingredients:
        content = ingredient.encode() if isinstance(ingredient, str) else ingredient
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:DIGEST_LENGTH]


if __name__ == "__main__":
    print(source_digest(sys.argv[1]))
