"""What the Pulumi program is made of, besides `__main__.py` itself."""

from pathlib import Path

# The clone's folder.
ROOT = Path(__file__).resolve().parent.parent
