"""The commands in the documents, with the output that the documents show for them.

A block that begins with ```console has commands after `$ `, each with its output. The commands of a
block ```console aws need an account. A line `...` means any lines.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^( *)```console( aws)?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# The healthcheck's reference depends on the machine: many block NTP.
REFERENCE = (
    r"reference (this machine's clock \(no NTP server answered\)|a single NTP server|0 NTP servers)"
    r"( \(.*\))?$"
)
# The folders with documents, besides the clone's own folder.
FOLDERS = (".github", "docs", "local")


class Command(NamedTuple):
    file: str
    text: str
    output: list[str]
    aws: bool

    @property
    def id(self) -> str:
        return f"{self.file}: {self.text.splitlines()[0]}"


def list_documents() -> list[Path]:
    """Return all Markdown files of this clone."""
    files = [
        *ROOT.glob("*.md"),
        *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.md")),
    ]
    return sorted(files)


def list_commands(file: Path) -> list[Command]:
    """Return the commands of a document, in its order."""
    return [
        Command(str(file.relative_to(ROOT)), text, output, bool(aws))
        for indent, aws, block in BLOCK.findall(file.read_text())
        for text, output in _split(re.sub(f"^{indent}", "", block, flags=re.MULTILINE))
    ]


def list_all_commands() -> list[Command]:
    return [command for file in list_documents() for command in list_commands(file)]


def _split(block: str) -> list[tuple[str, list[str]]]:
    """Return each command of a block with the lines of its output."""
    commands: list[tuple[str, list[str]]] = []
    continues = False
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif continues:
            text, output = commands.pop()
            commands.append((f"{text}\n{line}", output))
        elif line.strip():
            commands[-1][1].append(line)
        else:
            continue
        continues = (line.startswith("$ ") or continues) and line.endswith(("\\", "|", "&&"))
    return commands


def remove_figures(line: str) -> str:
    """Return the line without what differs between runs: numbers, digests, and the reference."""
    line = re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b", "0", line)
    line = re.sub(r"[+-]?\d+(\.\d+)?", "0", line)
    line = re.sub(REFERENCE, "reference any", line)
    return re.sub(r"\s+", " ", line).strip()
