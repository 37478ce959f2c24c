"""What an archive is made from decides its digest, and an archive of other sources is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deployment.release import ARCHIVES, ArchiveError, archive, release_digest, source_digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small project with both archives just made."""
    for name, content in {
        "service/app.py": "app",
        "service/Dockerfile": "FROM base",
        "service/__pycache__/other.pyc": "compiled",
        "service/requirements.txt": "flask==3",
        "healthcheck/handler.py": "handler",
        "sntp.py": "sntp",
        "README.md": "readme",
        "scripts/image.sh": "docker build",
        "scripts/debian.sh": "mmdebstrap",
        "scripts/package.sh": "zip",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "build").mkdir()
    for kind in ARCHIVES:
        make(kind, tmp_path)
    return tmp_path


def make(kind: str, root: Path) -> None:
    name = root / "build" / ARCHIVES[kind][1]
    name.write_bytes(b"archive")
    (name.parent / f"{name.name.split('.')[0]}.digest").write_text(source_digest(kind, root) + "\n")


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_of_the_present_sources_is_taken(kind: str, root: Path) -> None:
    found = archive(kind, root)
    assert found.path == root / "build" / ARCHIVES[kind][1]
    assert found.digest == source_digest(kind, root)


def test_a_digest_fits_into_names_and_keys(root: Path) -> None:
    assert re.fullmatch("[0-9a-f]{12}", source_digest("image", root))
    assert re.fullmatch("[0-9a-f]{12}", release_digest("a", b"b"))


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "service/app.py").write_text("App"),
    "lock": lambda root: (root / "service/requirements.txt").write_text("flask==4"),
    "new file": lambda root: (root / "service/new.py").write_text(""),
    "name": lambda root: (root / "service/app.py").rename(root / "service/web.py"),
    "removal": lambda root: (root / "service/app.py").unlink(),
    "script": lambda root: (root / "scripts/image.sh").write_text("docker buildx"),
    "common code": lambda root: (root / "sntp.py").write_text("SNTP"),
    "moved text": lambda root: (
        (root / "service/app.py").write_text("ap"),
        (root / "service/Dockerfile").write_text("pFROM base"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_the_sources_outdates_the_archive(change: str, root: Path) -> None:
    CHANGES[change](root)
    with pytest.raises(
        ArchiveError, match=r"the sources of build/image\.tar\.gz have changed: run `make image`"
    ):
        archive("image", root)


def test_remaking_the_archive_mends_it(root: Path) -> None:
    CHANGES["content"](root)
    make("image", root)
    assert archive("image", root).digest == source_digest("image", root)


OTHERS: dict[str, Callable[[Path], object]] = {
    "caches": lambda root: (root / "service/__pycache__/app.pyc").write_text("compiled"),
    "an editor's file": lambda root: (root / "service/.app.py.swp").write_text("draft"),
    "other folders": lambda root: (root / "healthcheck/handler.py").write_text("Handler"),
    "documentation": lambda root: (root / "README.md").write_text("Readme"),
}


@pytest.mark.parametrize("change", OTHERS)
def test_a_change_of_anything_else_does_not(change: str, root: Path) -> None:
    before = archive("image", root)
    OTHERS[change](root)
    assert archive("image", root) == before


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("suffix", ["archive", "digest"])
def test_a_missing_archive_is_told_with_the_command_that_makes_it(
    kind: str, suffix: str, root: Path
) -> None:
    name = ARCHIVES[kind][1]
    missing = name if suffix == "archive" else f"{name.split('.')[0]}.digest"
    (root / "build" / missing).unlink()
    with pytest.raises(ArchiveError, match=f"is missing: run `{ARCHIVES[kind][2]}`"):
        archive(kind, root)


def test_the_place_of_the_sources_does_not_count(root: Path, tmp_path: Path) -> None:
    """Two clones of the same sources make the same release."""
    elsewhere = tmp_path / "elsewhere"
    for folder in ("service", "scripts"):
        shutil.copytree(root / folder, elsewhere / folder)
    shutil.copy(root / "sntp.py", elsewhere)
    assert source_digest("image", elsewhere) == source_digest("image", root)


def test_every_ingredient_and_their_order_count_for_a_release() -> None:
    digests = [
        release_digest("image", b"template", "t3.micro"),
        release_digest("image", b"template", "t3.small"),
        release_digest("image", "t3.micro", b"template"),
        release_digest("image", b"templatet3.micro"),
        release_digest("imaget", b"emplate", "t3.micro"),
    ]
    assert len(set(digests)) == len(digests)
    assert release_digest("image", "text") == release_digest(b"image", b"text")
