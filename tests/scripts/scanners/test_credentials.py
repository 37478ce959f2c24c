"""A secret is found in the tree, and in the history after it was deleted; and nothing can hide it there."""

from __future__ import annotations

import random
import string
import subprocess
from pathlib import Path

import pytest

from scan.credentials import scan

pytestmark = pytest.mark.integration


def made_up(alphabet: str, length: int) -> str:
    """Looks like a key, and stands in no file of ours."""
    chance = random.Random(length)
    return "".join(chance.choice(alphabet) for _ in range(length))


WORD = string.ascii_letters + string.digits
AWS_KEY = f"""aws_access_key_id = AKIA{made_up(string.ascii_uppercase + "234567", 16)}
aws_secret_access_key = {made_up(WORD + "/+", 40)}
"""
TOKEN = f'TOKEN = "ghp_{made_up(WORD, 36)}"'
PASSWORD = f"postgres://me:{made_up(WORD, 20)}@db.internal/time\n"


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """One with a clean history of two commits, and a .gitignore."""
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("/build/\n")
    (folder / "code.py").write_text("TOKEN = None\n")
    for message in ("one", "two"):
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return folder


def look(
    root: Path, tmp_path: Path, no_secrets: tuple[str, ...] = ()
) -> tuple[list[str], list[str]]:
    """Where something was found, and the notes."""
    folder = tmp_path / f"scan-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    report = scan(root, folder, no_secrets)
    return report.problems, report.notes


def test_a_clean_clone_is_clean_and_it_says_how_far_it_looked(clone: Path, tmp_path: Path) -> None:
    assert look(clone, tmp_path) == ([], ["2 files of the tree", "all 2 commits of its history"])


@pytest.mark.parametrize("secret", [AWS_KEY, TOKEN, PASSWORD], ids=["AWS", "GitHub", "URL"])
def test_a_secret_is_found_before_it_is_committed(secret: str, clone: Path, tmp_path: Path) -> None:
    (clone / "docs").mkdir()
    (clone / "docs" / "notes.md").write_text(secret)
    (found,), _ = look(clone, tmp_path)
    assert found.startswith("docs/notes.md:1: ")


def test_a_private_key_is_found(clone: Path, tmp_path: Path) -> None:
    key = clone / "key.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", key],
        check=True, capture_output=True,
    )  # fmt: skip
    (found,), _ = look(clone, tmp_path)
    assert found.startswith("key.pem:1: betterleaks.private-key ")


def test_a_secret_is_found_in_history_when_it_is_long_deleted(clone: Path, tmp_path: Path) -> None:
    (clone / "code.py").write_text(f"{TOKEN}\n")
    git(clone, "commit", "--quiet", "--all", "--message", "three")
    (clone / "code.py").write_text("TOKEN = None\n")
    git(clone, "commit", "--quiet", "--all", "--message", "four")
    (found,), notes = look(clone, tmp_path)
    assert found.startswith("code.py:1 in commit ")
    assert notes[1] == "all 4 commits of its history"


@pytest.mark.parametrize(
    "directive", ["kingfisher:ignore", "gitleaks:allow", "betterleaks:allow", "nosec", "noqa"]
)
def test_no_comment_hides_a_secret(directive: str, clone: Path, tmp_path: Path) -> None:
    (clone / "code.py").write_text(f"{TOKEN}  # {directive}\n")
    assert len(look(clone, tmp_path)[0]) == 1


def test_what_is_no_secret_is_let_through_by_its_digest_and_only_while_it_is_there(
    clone: Path, tmp_path: Path
) -> None:
    (clone / "code.py").write_text(f"{TOKEN}\n")
    (found,), _ = look(clone, tmp_path)
    known = found.split(": ")[1]
    assert look(clone, tmp_path, (known,))[0] == []
    (clone / "code.py").write_text(TOKEN.replace("ghp_", "ghp_x")[:-2] + '"\n')
    assert (
        len(look(clone, tmp_path, (known,))[0]) == 2
    )  # the other secret, and the entry that is none any more


def test_a_shallow_clone_and_an_exported_tree_say_what_was_not_checked(
    clone: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{clone}", "shallow")
    _, notes = look(tmp_path / "shallow", tmp_path)
    assert notes[1] == "HISTORY NOT CHECKED beyond 1 commits: this is a shallow clone"
    exported = tmp_path / "exported"
    exported.mkdir()
    (exported / ".gitignore").write_text("/build/\n")
    (exported / "build").mkdir()
    (exported / "build" / "ignored.txt").write_text(AWS_KEY)
    (exported / "notes.md").write_text(TOKEN)
    (found,), notes = look(exported, tmp_path)
    assert found.startswith("notes.md:1: ")
    assert notes[1] == "HISTORY NOT CHECKED: this is no clone, but an exported tree"
