"""What makes a release: the uploaded archives, and a digest of all that makes a host.

`python -m deployment.release image-x86_64|image-arm64|package` prints the digest of an archive's
sources, and nothing if the archive is current.
"""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from deployment import ROOT
from deployment.errors import UserError

# Hex digits: 48 bits are unique enough, and fit into names.
DIGEST_LENGTH = 12


class Archive(NamedTuple):
    """A file to upload, and the digest of its content, which names it in the bucket."""

    path: Path
    digest: str


class Recipe(NamedTuple):
    """sources: files and folders. file: the archive in build/. command: makes it."""

    sources: tuple[str, ...]
    file: str
    command: str


def _image(architecture: str, instance_type: str) -> Recipe:
    names = ("image.sh", "archive.py", "python-image.sh", "base.sh", "debian.sh", "common.sh")
    scripts = [f"scripts/{name}" for name in names]
    # The names and versions of the Debian packages in the image.
    packages = f"build/base-{architecture}.packages"
    return Recipe(
        ("service", "sntp.py", *scripts, packages),
        f"image-{architecture}.tar.gz",
        f"make image CONFIG=instanceType={instance_type}",
    )


ARCHIVES = {
    "image-x86_64": _image("x86_64", "t3.micro"),
    "image-arm64": _image("arm64", "t4g.micro"),
    "package": Recipe(
        ("healthcheck", "sntp.py", "scripts/package.sh", "scripts/common.sh"),
        "healthcheck.zip",
        "make package",
    ),
}


def list_sources(kind: str) -> list[Path]:
    """Return all files that an archive is made from, without caches and hidden files."""
    paths: list[Path] = []
    for name in ARCHIVES[kind].sources:
        paths += [ROOT / name, *sorted((ROOT / name).rglob("*"))]
    return [path for path in paths if path.is_file() and not _is_cache(path.relative_to(ROOT))]


def _is_cache(name: Path) -> bool:
    return any(part.startswith(("__pycache__", ".")) for part in name.parts)


def source_digest(kind: str) -> str:
    """Return a digest of an archive's kind, and of the paths and contents of its sources."""
    digest = hashlib.sha256(kind.encode())
    for path in list_sources(kind):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:DIGEST_LENGTH]


def archive(kind: str) -> Archive:
    """Return the archive.

    Raises UserError if it is missing, not of the present sources, or not as it was made.
    """
    _, name, command = ARCHIVES[kind]
    path = ROOT / "build" / name
    digest_file = path.parent / (name.split(".")[0] + ".digest")
    if not path.exists() or not digest_file.exists():
        raise UserError(f"build/{name} is missing: run {command} first")
    sources, _, content = digest_file.read_text().strip().partition(" ")
    if sources != source_digest(kind):
        raise UserError(f"the sources of build/{name} have changed: run {command}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != content:
        raise UserError(f"build/{name} is damaged: run {command}, which makes it anew")
    return Archive(path, digest[:DIGEST_LENGTH])


def get_commit() -> str:
    """Return the commit of the clone, with a `+` if files have changed; "unknown" without git."""
    # A folder above the clone may be another's repository. The clone may be another user's, and
    # nothing in it is to become root's.
    command = ["git", "--git-dir=.git", "--work-tree=.", "--no-optional-locks"]
    command += ["-c", "safe.directory=*", "-c", "core.fsmonitor=false"]
    command += ["status", "--porcelain=v2", "--branch"]
    try:
        output = subprocess.check_output(command, cwd=ROOT, stderr=subprocess.DEVNULL, text=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    # The first line is `# branch.oid` with the commit.
    lines = output.splitlines()
    return lines[0].split()[2][:12] + ("" if all(line[0] == "#" for line in lines) else "+")


def release_digest(*ingredients: str | bytes) -> str:
    """Return one digest of everything that makes a release. The order counts."""
    digest = hashlib.sha256()
    for ingredient in ingredients:
        content = ingredient.encode() if isinstance(ingredient, str) else ingredient
        digest.update(f"{len(content)}\0".encode() + content)
    return digest.hexdigest()[:DIGEST_LENGTH]


if __name__ == "__main__":
    try:
        archive(sys.argv[1])
    except UserError:
        print(source_digest(sys.argv[1]))
