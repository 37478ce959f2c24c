"""What the Pulumi program is made of, besides `__main__.py` itself."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # of the clone
