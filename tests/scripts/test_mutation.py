"""The core modules that are mutated exist, and have tests."""

from __future__ import annotations

import ast
from pathlib import Path

from deployment import ROOT

SCRIPT = ROOT / "tests/support/mutate_python.py"


def read_table() -> dict[str, str]:
    """The table of the script, which cannot be imported without cosmic-ray."""
    for node in ast.parse(SCRIPT.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TESTS":
            table: dict[str, str] = ast.literal_eval(node.value)
            return table
    raise AssertionError("no TESTS")


def test_each_mutated_module_and_its_tests_are_there() -> None:
    table = read_table()
    assert len(table) > 15
    paths = [Path(path) for module, tests in table.items() for path in (module, *tests.split())]
    assert [path for path in paths if not (ROOT / path).exists()] == []
