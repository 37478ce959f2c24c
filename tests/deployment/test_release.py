"""An archive's sources decide its digest, and an archive of other sources is refused."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deployment import ROOT, release
from deployment.errors import UserError
from deployment.release import ARCHIVES, archive, get_commit, release_digest, source_digest

IMAGE = "image-x86_64"
SOURCES = {
    IMAGE: [
        "service/app.py",
        "service/Dockerfile",
        "service/requirements.txt",
        "sntp.py",
        "build/base-x86_64.packages",
        "scripts/image.sh",
        "scripts/archive.py",
        "scripts/python-image.sh",
        "scripts/base.sh",
        "scripts/debian.sh",
        "scripts/common.sh",
    ],
    "package": [
        "healthcheck/handler.py",
        "healthcheck/formats/text.py",
        "sntp.py",
        "scripts/package.sh",
        "scripts/common.sh",
    ],
}
CASES = [(kind, name) for kind, names in SOURCES.items() for name in names]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with both archives just made."""
    monkeypatch.setattr(release, "ROOT", tmp_path)
    others = ["service/__pycache__/other.pyc", "README.md"]
    for name in [*SOURCES[IMAGE], *SOURCES["package"], *others]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}")
    (tmp_path / "service/app.py").write_text("app")
    (tmp_path / "service/Dockerfile").write_text("FROM base")
    for kind in ARCHIVES:
        make(kind, tmp_path)
    return tmp_path


def make(kind: str, root: Path) -> None:
    name = root / "build" / ARCHIVES[kind][1]
    content = f"archive of {kind}".encode()
    name.write_bytes(content)
    digests = f"{source_digest(kind)} {hashlib.sha256(content).hexdigest()}\n"
    (name.parent / f"{name.name.split('.')[0]}.digest").write_text(digests)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_of_the_present_sources_is_taken(kind: str, root: Path) -> None:
    present = archive(kind)
    assert present.path == root / "build" / ARCHIVES[kind][1]
    # The name is a digest of the content, so the content under a name never changes.
    assert present.digest == hashlib.sha256(present.path.read_bytes()).hexdigest()[:12]


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("content", [b"", b"arch", b"another one"])
def test_an_archive_that_is_not_as_it_was_made_is_refused(
    kind: str, content: bytes, root: Path
) -> None:
    archive(kind).path.write_bytes(content)
    with pytest.raises(UserError, match=f"is damaged: run {ARCHIVES[kind].command}"):
        archive(kind)


def test_a_digest_fits_into_names_and_keys(root: Path) -> None:
    assert re.fullmatch("[0-9a-f]{12}", source_digest(IMAGE))
    assert re.fullmatch("[0-9a-f]{12}", release_digest("a", b"b"))


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_each_source_counts_for_its_archive(kind: str, name: str, root: Path) -> None:
    (root / name).write_text("changed")
    with pytest.raises(UserError, match=f"have changed: run make {kind.split('-')[0]}"):
        archive(kind)


@pytest.mark.parametrize("kind", SOURCES)
def test_the_sources_are_there(kind: str) -> None:
    """A source that does not exist would not change the digest."""
    for name in ARCHIVES[kind].sources:
        assert name.startswith("build/") or (ROOT / name).exists(), name


CHANGES: dict[str, Callable[[Path], object]] = {
    "new file": lambda root: (root / "service/new.py").write_text(""),
    "name": lambda root: (root / "service/app.py").rename(root / "service/web.py"),
    "removal": lambda root: (root / "service/app.py").unlink(),
    "moved text": lambda root: (
        (root / "service/app.py").write_text("ap"),
        (root / "service/Dockerfile").write_text("pFROM base"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_the_sources_outdates_the_archive(change: str, root: Path) -> None:
    CHANGES[change](root)
    with pytest.raises(
        UserError, match=r"the sources of build/image-x86_64\.tar\.gz have changed: run make image"
    ):
        archive(IMAGE)


def test_a_build_gets_the_digest_of_its_sources_unless_the_archive_is_current(root: Path) -> None:
    shutil.copytree(ROOT / "deployment", root / "deployment")
    command = [sys.executable, "-m", "deployment.release", "package"]
    assert subprocess.check_output(command, cwd=root, text=True) == ""
    (root / "build/healthcheck.zip").write_bytes(b"arch")
    printed = subprocess.check_output(command, cwd=root, text=True)
    assert printed == source_digest("package") + "\n"


def test_an_archive_that_is_made_again_is_of_the_present_sources(root: Path) -> None:
    CHANGES["new file"](root)
    make(IMAGE, root)
    assert archive(IMAGE).path.exists()


OTHERS: dict[str, Callable[[Path], object]] = {
    "caches": lambda root: (root / "service/__pycache__/app.pyc").write_text("compiled"),
    "an editor's file": lambda root: (root / "service/.app.py.swp").write_text("draft"),
    "other folders": lambda root: (root / "healthcheck/handler.py").write_text("Handler"),
    "documentation": lambda root: (root / "README.md").write_text("Readme"),
}


@pytest.mark.parametrize("change", OTHERS)
def test_a_change_of_anything_else_does_not(change: str, root: Path) -> None:
    before = archive(IMAGE)
    OTHERS[change](root)
    assert archive(IMAGE) == before


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("suffix", ["archive", "digest"])
def test_a_missing_archive_is_told_with_the_command_that_makes_it(
    kind: str, suffix: str, root: Path
) -> None:
    name = ARCHIVES[kind][1]
    missing = name if suffix == "archive" else f"{name.split('.')[0]}.digest"
    (root / "build" / missing).unlink()
    with pytest.raises(UserError, match=f"is missing: run {ARCHIVES[kind].command} first"):
        archive(kind)


def test_each_architecture_has_an_archive_and_a_digest_of_its_own(root: Path) -> None:
    x86_64, arm64 = archive("image-x86_64"), archive("image-arm64")
    assert x86_64.path != arm64.path
    assert x86_64.digest != arm64.digest


def test_the_archive_of_the_other_architecture_is_refused(root: Path) -> None:
    x86_64, arm64 = archive("image-x86_64"), archive("image-arm64")
    x86_64.path.rename(arm64.path)
    x86_64.path.with_name("image-x86_64.digest").rename(arm64.path.with_name("image-arm64.digest"))
    with pytest.raises(UserError, match="run make image CONFIG=instanceType=t4g"):
        archive("image-arm64")


def test_the_place_of_the_sources_does_not_count(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clones of the same sources make the same release."""
    before = source_digest(IMAGE)
    elsewhere = tmp_path / "elsewhere"
    for folder in ("service", "scripts", "build"):
        shutil.copytree(root / folder, elsewhere / folder)
    shutil.copy(root / "sntp.py", elsewhere)
    monkeypatch.setattr(release, "ROOT", elsewhere)
    assert source_digest(IMAGE) == before


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


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return subprocess.check_output(["git", *identity, *arguments], cwd=folder, text=True).strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a commit of the file `code`, where `build` is ignored."""
    monkeypatch.setattr(release, "ROOT", tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code").write_text("code")
    (tmp_path / ".gitignore").write_text("build\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_the_commit_of_a_clone_is_named(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """This also holds in a hook of git, which sets variables that name the repository."""
    (repository / "build").write_text("built")
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(tmp_path_factory.mktemp("other")))
        commit = get_commit()
    assert re.fullmatch("[0-9a-f]{12}", commit)
    assert git(repository, "rev-parse", "HEAD").startswith(commit)


@pytest.mark.parametrize("name", ["code", "new"])
def test_a_changed_tree_has_a_plus_behind_its_commit(name: str, repository: Path) -> None:
    commit = get_commit()
    (repository / name).write_text("changed")
    assert get_commit() == f"{commit}+"


def test_the_question_for_the_commit_writes_nothing_into_the_clone(repository: Path) -> None:
    """As root, git would make files that the clone's user cannot change."""
    os.utime(repository / "code", (1, 1))
    before = (repository / ".git/index").stat()
    get_commit()
    after = (repository / ".git/index").stat()
    # The time of the last access may change: to read is not to write.
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


def test_a_clone_without_git_has_an_unknown_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = repository / "exported"
    exported.mkdir()
    monkeypatch.setattr(release, "ROOT", exported)
    assert get_commit() == "unknown"
    (exported / ".git").mkdir()
    assert get_commit() == "unknown"
    monkeypatch.setattr(release, "ROOT", repository)
    monkeypatch.setenv("PATH", "/nowhere")
    assert get_commit() == "unknown"
