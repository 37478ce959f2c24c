"""docs/failures.md quotes messages: their fixed words are in the sources."""

from __future__ import annotations

import re
import subprocess
from functools import cache

import pytest

from tests.support.documented import ROOT

PAGE = (ROOT / "docs/failures.md").read_text()


@cache
def sources() -> str:
    """All that may print a message, with adjacent strings of Python joined."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.sh", "*.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [name for name in listed.stdout.split() if not name.startswith("tests/")]
    text = "\n".join((ROOT / name).read_text() for name in files)
    return re.sub(r'"\s+f?"', "", text)


def quoted_messages() -> list[str]:
    cells = re.findall(r"^\| (`.+?) \| ", PAGE, re.MULTILINE)
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("message", quoted_messages())
def test_the_fixed_words_of_a_message_are_in_the_sources(message: str) -> None:
    missing = [words for words in message.split("…") if words.strip(" :()") not in sources()]
    assert missing == []


def test_the_page_is_short_enough_to_be_read_at_night() -> None:
    assert len(quoted_messages()) > 30
    assert len(PAGE.splitlines()) < 100
