"""List the properties of the templates. `python -m tests.support.reviewed` writes the lists.

CDK calls such files snapshots. A change of a template is a change of its file too, which a reviewer
reads without the comments around it: a wildcard, a longer time, a property that is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deployment import ROOT
from deployment.template import read_all

FOLDER = ROOT / "tests" / "cfn" / "reviewed"
# These keys are for people, and are no properties.
WORDS = {"Description", "ConstraintDescription", "AlarmDescription", "AssertDescription"}
SECTIONS = ("Parameters", "Rules", "Mappings", "Conditions", "Resources", "Outputs")
NAMES = ("Sid", "Key", "Name", "Id", "PolicyName")  # an item of a list is known by one of these


def file_of(part: str) -> Path:
    return FOLDER / f"{part}.txt"


def format_properties(content: dict[str, Any]) -> str:
    """Return the properties in a template's content, as a file in tests/cfn/reviewed has them."""
    lines = [
        line
        for section in SECTIONS
        for name, declaration in content.get(section, {}).items()
        for line in _lines(f"{section}.{name}", declaration)
    ]
    return "\n".join(lines) + "\n"


def _lines(path: str, value: Any) -> Iterator[str]:
    """Yield a line for each value, and for each line of JSON. Other tests run the scripts."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in WORDS:
                yield from _lines(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _lines(f"{path}[{_name(item, number)}]", item)
    elif "\n" in str(value):
        lines = value.splitlines() if value.startswith("{") else ["(a script)"]
        yield from (f"{path}: {line.strip()}" for line in lines)
    else:
        yield f"{path}: {json.dumps(value)}"


def _name(item: Any, number: int) -> str:
    """Return what an item is known by: a name of its own, so that one more moves no other."""
    if not isinstance(item, dict):
        return ""
    names = [item[key] for key in NAMES if isinstance(item.get(key), str)]
    return names[0] if names else str(number)


if __name__ == "__main__":
    for part, template in read_all().items():
        file_of(part).write_text(format_properties(template.content))
