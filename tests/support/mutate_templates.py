"""Change each property of each template in turn, and count the changes that a unit test notices.

    .venv/bin/python -m tests.support.mutate_templates [--sample N]

A mutation removes a value, changes it, or drops one line of a script. Most are noticed by the
comparison with tests/cfn/reviewed, as in tests/cfn/test_properties.py. For the others, tests run in
a temporary copy of the clone. Descriptions, comments and metadata are no properties. The mutations
that no test notices are printed, and make the exit code 1.
"""

from __future__ import annotations

import argparse
import copy
import difflib
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deployment import ROOT
from deployment.template import read_all
from tests.support.reviewed import file_of, format_properties

SKIPPED = re.compile("AWSTemplateFormatVersion|.*Description")
OPPOSITES = {"Allow": "Deny", "Deny": "Allow", "Minimum": "Maximum", "Maximum": "Minimum"}
# The tests of scripts run first. A mutated template has no comments, so the test of comments is
# left out.
RUNS = (
    ["tests/cfn/test_user_data.py", "tests/cfn/test_dashboards.py"],
    ["tests/cfn", "tests/deployment", "--ignore=tests/cfn/permissions", "-k", "not says_why"],
)
REMOVED = object()
Keys = tuple[str | int, ...]  # these lead to a value in a template


def list_mutations(value: Any, path: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield where to change the template, and the new value, for all that is inside of a value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if SKIPPED.fullmatch(str(key)):
            continue
        inside = (*path, key)
        yield inside, REMOVED
        if isinstance(inner, (dict, list)):
            yield from list_mutations(inner, inside)
        else:
            yield from ((inside, changed) for changed in list_changes(inner))


def list_changes(value: Any) -> list[Any]:
    """Return other values of the same kind."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    lines = value.splitlines(keepends=True)
    if len(lines) > 1:
        code = [number for number, line in enumerate(lines) if line.strip()[:1] not in ("", "#")]
        return ["".join(lines[:number] + lines[number + 1 :]) for number in code]
    return [OPPOSITES.get(value, f"{value}x")]


def mutate(content: dict[str, Any], path: Keys, value: Any) -> dict[str, Any]:
    """Return a template's content with another value at the path."""
    mutated = copy.deepcopy(content)
    place: Any = mutated
    for key in path[:-1]:
        place = place[key]
    if value is REMOVED:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return mutated


def write(clone: Path, part: str, content: dict[str, Any]) -> None:
    (clone / "cfn" / f"{part}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def is_noticed(clone: Path) -> bool:
    """Return whether a test fails in the clone."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += ["-m", "not integration and not rehearsal"]
    runs = (subprocess.run([*command, *run], cwd=clone, capture_output=True) for run in RUNS)
    return any(run.returncode != 0 for run in runs)


def describe(content: dict[str, Any], path: Keys, value: Any) -> str:
    """Return what a mutation changes: of a script, the line that is dropped."""
    if value is REMOVED:
        return "removed"
    original: Any = content
    for key in path:
        original = original[key]
    lines, changed = str(original).splitlines(), str(value).splitlines()
    diff = difflib.unified_diff(lines, changed, lineterm="", n=0)
    return " ".join(list(diff)[3:])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--sample", type=int, default=10**6, help="how many mutations to try, chosen by chance"
    )
    sample = parser.parse_args().sample
    contents = {part: template.content for part, template in read_all().items()}
    mutations = [(part, *each) for part in contents for each in list_mutations(contents[part])]
    mutations = random.sample(mutations, min(sample, len(mutations)))
    ignored = shutil.ignore_patterns(".git", ".venv", "build", ".*_cache", "__pycache__")
    with tempfile.TemporaryDirectory() as folder:
        clone = shutil.copytree(ROOT, Path(folder, "clone"), ignore=ignored, symlinks=True)
        for part, content in contents.items():
            write(clone, part, content)
        if is_noticed(clone):
            raise SystemExit("the tests fail before anything is changed: run make unit")
        missed = 0
        for part, path, value in mutations:
            mutated = mutate(contents[part], path, value)
            if format_properties(mutated) != file_of(part).read_text():
                continue
            write(clone, part, mutated)
            if not is_noticed(clone):
                missed += 1
                change = describe(contents[part], path, value)
                print(f"not noticed: {part} {'.'.join(map(str, path))}: {change}", flush=True)
            write(clone, part, contents[part])
    noticed = len(mutations) - missed
    print(f"{noticed} of {len(mutations)} mutations noticed ({noticed / len(mutations):.1%})")
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
