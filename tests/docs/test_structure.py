"""The structure of the code: eleven folders, imports that run one way, and no circle of modules."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
from pathlib import Path

from deployment import ROOT

# A room imports from rooms of a lower level alone.
LEVELS = {
    "sntp": 0,
    "deployment": 1,
    "service": 1,
    "healthcheck": 1,
    "__main__": 2,
    "local": 2,
    "ops": 3,
    "bench": 4,
    "drills": 4,
    "scripts": 4,
}


def list_files(pattern: str) -> list[Path]:
    """Return the paths, relative to the clone, of the files that git tracks."""
    command = ["git", "ls-files", pattern]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in output.splitlines()]


def find_imports() -> dict[str, set[str]]:
    """Return the modules of the clone, each with the modules of the clone that it imports."""
    paths = [path for path in list_files("*.py") if path.parts[0] != "tests"]
    modules = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in paths
    }
    imports: dict[str, set[str]] = {}
    for module, path in modules.items():
        names: set[str] = set()
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
        assert not [name for name in names if name.split(".")[0] == "tests"], f"{module}: tests"
        imports[module] = {name for name in names if name in modules and name != module}
    return imports


def test_the_clone_has_at_most_eleven_folders() -> None:
    folders = {path.parts[0] for path in list_files("*") if len(path.parts) > 1}
    assert len([folder for folder in folders if not folder.startswith(".")]) <= 11


def test_imports_run_one_way() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, names in find_imports().items()
        for name in names
        if (room := module.split(".")[0]) != (other := name.split(".")[0])
        and LEVELS[room] <= LEVELS[other]
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    packages = {".".join(path.parts[:-1]) for path in list_files("*/__init__.py")}
    imports = {module: names - packages for module, names in find_imports().items()}
    list(graphlib.TopologicalSorter(imports).static_order())


def test_make_rehearsal_runs_every_rehearsal() -> None:
    """make rehearsal runs one folder, because it takes a while to collect all tests."""
    elsewhere = [
        path
        for path in list_files("tests/*.py")
        if path.parts[1] != "rehearsal"
        and re.search("^(pytestmark|@).*mark.rehearsal", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert elsewhere == []
