"""Known vulnerabilities of what the locks pin, as pip-audit asks the OSV database for them."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from scan.tools import FOLDER, ROOT, Broken, Report, run_for_json

DATABASE = "https://api.osv.dev/v1/query"


def locks() -> list[Path]:
    """All lock files: each *.txt that has an *.in beside it."""
    sources = [*ROOT.glob("*.in"), *ROOT.glob("*/*.in")]
    return sorted(path.with_suffix(".txt") for path in sources)


def scan(folder: Path, paths: list[Path], database: str = DATABASE) -> Report:
    """Asks about these locks. Raises Broken. What could not be asked is a note, as the database is not everywhere."""
    if why := unreachable(database):
        where = f"the database is not reachable from here: {database}: {why}"
        return Report([], [f"VULNERABILITIES NOT CHECKED: {where}"])
    problems, count = [], 0
    for path in paths:
        name = path.relative_to(ROOT)
        told = run_for_json(
            [FOLDER / "bin/pip-audit", "--vulnerability-service=osv", f"--osv-url={database}", "--format=json",
             "--progress-spinner=off", "--disable-pip", f"--requirement={path}"],
            folder,
            statuses=(0, 1),
        )["dependencies"]  # fmt: skip
        if skipped := [one["name"] for one in told if "skip_reason" in one]:
            raise Broken(f"pip-audit has not asked about {', '.join(skipped)} of {name}")
        count += len(told)
        for one in told:
            for found in one["vulns"]:
                mended = ", ".join(found["fix_versions"]) or "no version yet"
                problems.append(
                    f"{name}: {one['name']} {one['version']}: {found['id']}; fixed in {mended}"
                )
    return Report(problems, [f"{count} packages of {len(paths)} locks"])


def unreachable(database: str) -> str | None:
    """Why it does not answer; None if it does."""
    question = b'{"package": {"ecosystem": "PyPI", "name": "pip"}, "version": "26.0"}'
    try:
        with urllib.request.urlopen(database, question, timeout=10):  # noqa: S310 - ours, or a test's
            return None
    except urllib.error.HTTPError as answer:
        return str(answer)
    except OSError as wrong:
        return str(getattr(wrong, "reason", wrong))
