"""The deployment as a flowchart, and a release as a sequence (Mermaid, which GitHub draws), read from the templates.

`python -m ops.diagram` renews those in docs/deployment.md; a test fails when one is out of date.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ops.diagram import flowchart, sequence

PAGE = Path(__file__).parent.parent.parent / "docs/deployment.md"
BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def renewed(page: str) -> str:
    """The page with the pictures as they are now, in the order in which they stand there."""
    pictures = iter([flowchart.text(), sequence.text()])
    return BLOCK.sub(lambda _: f"```mermaid\n{next(pictures)}```", page)


def main() -> None:
    argparse.ArgumentParser(prog="python -m ops.diagram", description=__doc__).parse_args()
    PAGE.write_text(renewed(PAGE.read_text()))


if __name__ == "__main__":
    main()
