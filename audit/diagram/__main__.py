"""The deployment as a picture (Mermaid, which GitHub draws), read from the templates: stacks, subnets, allowed traffic.

`make diagram` renews the one in docs/deployment.md; a test fails when that is out of date.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from audit.diagram.mermaid import text

PAGE = Path(__file__).parent.parent.parent / "docs/deployment.md"
BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def renewed(page: str) -> str:
    """The page with the picture as it is now."""
    return BLOCK.sub(lambda _: f"```mermaid\n{text()}```", page, count=1)


def main() -> None:
    argparse.ArgumentParser(prog="python -m audit.diagram", description=__doc__).parse_args()
    PAGE.write_text(renewed(PAGE.read_text()))


if __name__ == "__main__":
    main()
