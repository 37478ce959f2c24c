"""kingfisher finds a secret in the tree and in its history, and no comment hides it."""

from __future__ import annotations

import random
import string
import subprocess
from pathlib import Path

import pytest

from tests.support.scanning import create_tree, git, run_scan

pytestmark = pytest.mark.integration


def random_text(alphabet: str, length: int) -> str:
    """Return a text that looks like a key, and that no file of this repository contains."""
    chance = random.Random(length)
    return "".join(chance.choice(alphabet) for _ in range(length))


WORD = string.ascii_letters + string.digits
AWS_KEY = f"""aws_access_key_id = AKIA{random_text(string.ascii_uppercase + "234567", 16)}
aws_secret_access_key = {random_text(WORD + "/+", 40)}
"""
TOKEN = f'TOKEN = "ghp_{random_text(WORD, 36)}"'
PASSWORD = f"postgres://me:{random_text(WORD, 20)}@db.internal/time\n"


def find_paths(report: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the paths in which kingfisher has found a secret."""
    lines = [line for line in report.stderr.splitlines() if line.startswith(" |Path")]
    return [line.split(": ", 1)[1].removeprefix("./") for line in lines]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a history of one commit."""
    folder = create_tree(tmp_path / "clone")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    return folder


def test_a_clean_clone_passes_and_the_scan_counts_its_commits(clone: Path) -> None:
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "two")
    done = run_scan(clone, "secrets")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("files and their history (2 commits)\n")


@pytest.mark.parametrize("secret", [AWS_KEY, TOKEN, PASSWORD], ids=["AWS", "GitHub", "URL"])
def test_a_secret_is_found_before_it_is_committed(secret: str, clone: Path) -> None:
    (clone / "docs").mkdir()
    (clone / "docs" / "notes.md").write_text(secret)
    done = run_scan(clone, "secrets")
    assert done.returncode == 1
    assert find_paths(done) == ["docs/notes.md"]
    assert "take the secret out of the tree and its history" in done.stderr


def test_the_report_does_not_print_the_secret(clone: Path) -> None:
    (clone / "notes.md").write_text(TOKEN)
    assert TOKEN.split('"')[1] not in run_scan(clone, "secrets").stderr


def test_a_private_key_is_found(clone: Path) -> None:
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", clone / "key.pem"],
        check=True,
        capture_output=True,
    )
    assert find_paths(run_scan(clone, "secrets")) == ["key.pem"]


def test_a_secret_is_found_in_history_after_it_was_deleted(clone: Path) -> None:
    (clone / "code.py").write_text(f"{TOKEN}\n")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "two")
    git(clone, "rm", "--quiet", "code.py")
    git(clone, "commit", "--quiet", "--message", "three")
    done = run_scan(clone, "secrets")
    assert done.returncode == 1
    assert find_paths(done) == ["code.py"]


@pytest.mark.parametrize(
    "directive", ["kingfisher:ignore", "gitleaks:allow", "betterleaks:allow", "nosec", "noqa"]
)
def test_no_comment_hides_a_secret(directive: str, clone: Path) -> None:
    (clone / "code.py").write_text(f"{TOKEN}  # {directive}\n")
    assert find_paths(run_scan(clone, "secrets")) == ["code.py"]


def test_a_shallow_clone_names_what_was_not_checked(clone: Path, tmp_path: Path) -> None:
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "two")
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{clone}", "shallow")
    for name in ("build", ".venv"):
        (tmp_path / "shallow" / name).symlink_to(clone / name)
    done = run_scan(tmp_path / "shallow", "secrets")
    assert "HISTORY NOT CHECKED beyond 1 commits: this is a shallow clone" in done.stdout


def test_an_exported_tree_names_what_was_not_checked(tmp_path: Path) -> None:
    folder = create_tree(tmp_path / "exported")
    (folder / "build" / "ignored.txt").write_text(AWS_KEY)
    done = run_scan(folder, "secrets")
    assert done.returncode == 0
    assert "HISTORY NOT CHECKED: this is an exported tree" in done.stdout
    (folder / "notes.md").write_text(TOKEN)
    assert find_paths(run_scan(folder, "secrets")) == ["notes.md"]
