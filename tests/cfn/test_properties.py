"""Each property of each template is the one that was reviewed."""

from __future__ import annotations

import difflib

import pytest

from tests.support.reviewed import FOLDER, file_of, format_properties
from tests.support.templates import TEMPLATES


@pytest.mark.parametrize("part", TEMPLATES)
def test_each_property_is_as_it_was_reviewed(part: str) -> None:
    reviewed = file_of(part).read_text().splitlines()
    present = format_properties(TEMPLATES[part].content).splitlines()
    changes = list(difflib.unified_diff(reviewed, present, "reviewed", "present", lineterm="", n=0))
    remedy = "If each change is meant, run python -m tests.support.reviewed and commit the file."
    assert not changes, "\n".join([remedy, *changes])


def test_each_reviewed_file_has_its_template() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(TEMPLATES)
