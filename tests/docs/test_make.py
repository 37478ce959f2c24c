"""docs/make.md has the targets as `make help` prints them, and each value that make takes."""

from __future__ import annotations

import re

from tests.scripts.test_makefile import make
from tests.support.documented import ROOT, list_commands

PAGE = ROOT / "docs/make.md"


def test_the_page_shows_what_make_help_prints() -> None:
    (command,) = list_commands(PAGE)
    assert command.text == "make help"
    assert command.output == [line for line in make("help").splitlines() if line]


def test_the_page_has_each_value_once_and_no_other() -> None:
    lines = re.findall(r"^export ([A-Z_ ]+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    exported = {name for line in lines for name in line.split()} - {"DRILLS"}
    cells = re.findall(r"^\| (`[A-Z].+?) \|", PAGE.read_text(), re.MULTILINE)
    listed = [name for cell in cells for name in re.findall(r"`([A-Z_]+)=", cell)]
    assert sorted(listed) == sorted(exported)
