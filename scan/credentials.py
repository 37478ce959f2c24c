"""What kingfisher takes for a secret, in the tree and in every commit that is there, less what is known to be none.

Its own ways to let something pass (comments in a line, baselines) are off: a comment cannot reach back into history.
Passwords and keys are never checked with those who gave them out, as kingfisher would do.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

from scan.tools import FOLDER, Broken, Report, run_for_json

# What was found, as a problem names it: rule and first 16 hex digits of the SHA-256 -> why it is no secret, wherever it
# stands, now or before.
NO_SECRETS = {
    "betterleaks.generic-credential-uri dc8331bcb2283e89": "made up: tests show that no password of a URL is printed",
}


def scan(root: Path, folder: Path, no_secrets: Collection[str] = NO_SECRETS) -> Report:
    """Looks through the clone or exported tree at `root`; `folder` is an empty one to work in. Raises Broken."""
    tree = folder / "tree"
    files = copy_tree(root, tree)
    history = history_of(root)
    told = run_for_json(
        [FOLDER / "bin/kingfisher", "scan", tree, *([history] if history else []), "--format=json", "--confidence=low",
         "--no-ignore", "--no-validate", "--no-update-check"],
        folder,
        statuses=(0, 200),
    )  # fmt: skip
    problems, known = [], set()
    for one in told["findings"]:
        finding = one["finding"]
        what = f"{one['rule']['id']} {hashlib.sha256(finding['snippet'].encode()).hexdigest()[:16]}"
        if what in no_secrets:
            known.add(what)
            continue
        commit = finding.get("git_metadata", {}).get("commit", {}).get("id")
        where = f"{_name(finding['path'], tree)}:{finding['line']}" + (
            f" in commit {commit[:12]}" if commit else ""
        )
        problems.append(f"{where}: {what}")
    problems += [
        f"{what} is nowhere any more: take it out of NO_SECRETS" for what in set(no_secrets) - known
    ]
    return Report(sorted(set(problems)), [f"{files} files of the tree", *_history(told, history)])


def copy_tree(root: Path, target: Path) -> int:
    """Copies what is or could be committed, and returns how many files that is. Raises Broken.

    The .gitignore decides, in an exported tree as well, and nobody's own settings of git.
    """
    target.mkdir()
    here = (
        "-c",
        "core.excludesFile=/dev/null",
        f"--git-dir={target.parent / 'git'}",
        f"--work-tree={root}",
    )
    git(root, *here, "init", "--quiet")
    listed = git(root, *here, "ls-files", "-z", "--others", "--exclude-standard")
    paths = [Path(name) for name in listed.split("\0") if name and (root / name).is_file()]
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)
    return len(paths)


def history_of(root: Path) -> Path | None:
    """Where the history of the clone is; None in an exported tree. Raises Broken."""
    if not (root / ".git").exists():
        return None
    # Not owned by root, for example, who runs this: git would not look into it else.
    found = git(
        root, "-c", "safe.directory=*", "rev-parse", "--path-format=absolute", "--git-common-dir"
    )
    return Path(found.strip())


def git(root: Path, *arguments: str) -> str:
    """What git prints there. Raises Broken."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise Broken("git is not there: it lists the files to look through") from None
    if done.returncode:
        raise Broken(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _name(path: str, tree: Path) -> str:
    return path.removeprefix(f"{tree}/")


def _history(told: Any, history: Path | None) -> list[str]:
    if not history:
        return ["HISTORY NOT CHECKED: this is no clone, but an exported tree"]
    (read,) = (one["git"] for one in told["audit"]["repositories"] if "git" in one)
    if read["shallow"]:
        return [
            f"HISTORY NOT CHECKED beyond {read['fetched_commit_count']} commits: this is a shallow clone"
        ]
    return [f"all {read['fetched_commit_count']} commits of its history"]
