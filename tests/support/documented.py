"""The commands that the documentation shows, and what it says that they print.

A block that begins with ```console has commands after `$ `, and what they print. In ```console aws they need
an account. What follows two spaces and a `#` is a remark. A line `...` stands for any lines.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^( *)```console( aws)?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


# What the healthcheck compares with depends on the machine: most let it ask NTP servers.
REFERENCE = r"reference: (this machine's clock \(no NTP server answered\)|one NTP server|0 NTP servers)( \(.*\))?$"
# That have some, beside this clone's own folder.
FOLDERS = (".github", "docs", "local")


class Command(NamedTuple):
    file: str
    text: str
    output: list[str]
    aws: bool

    @property
    def id(self) -> str:
        return f"{self.file}: {self.text.splitlines()[0]}"


def documents() -> list[Path]:
    """All Markdown of this clone."""
    files = [
        *ROOT.glob("*.md"),
        *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.md")),
    ]
    return sorted(files)


def commands(file: Path) -> list[Command]:
    """In the order in which they stand there."""
    return [
        Command(str(file.relative_to(ROOT)), text, output, bool(aws))
        for indent, aws, block in BLOCK.findall(file.read_text())
        for text, output in _split(re.sub(f"^{indent}", "", block, flags=re.MULTILINE))
    ]


def every() -> list[Command]:
    return [command for file in documents() for command in commands(file)]


def _split(block: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    goes_on = False  # in the next line
    for line in block.splitlines():
        written = re.sub(r"\s\s+#.*$|\s+# .*$", "", line)
        if line.startswith("$ "):
            found.append((written[2:], []))
        elif goes_on:
            text, output = found.pop()
            found.append((f"{text}\n{written}", output))
        elif line.strip():
            found[-1][1].append(line)
        else:
            continue
        goes_on = (line.startswith("$ ") or goes_on) and written.endswith(("\\", "|", "&&"))
    return found


def shape(line: str) -> str:
    """What stays the same from one run to the next: numbers and digests do not, nor the reference."""
    line = re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b", "0", line)
    line = re.sub(r"[+-]?\d+(\.\d+)?", "0", line)
    line = re.sub(REFERENCE, "reference: any", line)
    return re.sub(r"\s+", " ", line).strip()
