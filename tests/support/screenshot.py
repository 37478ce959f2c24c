"""Takes the README's pictures of the page, docs/page*.png, of the deployment that is up, or of the
URL given."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Error, expect

from tests.support.browser import chromium, visit

DOCS = Path(__file__).parents[2] / "docs"
WIDE = {"width": 1200, "height": 800}
PICTURES: dict[str, dict[str, Any]] = {
    "page.png": {"viewport": WIDE, "color_scheme": "light"},
    "page-dark.png": {"viewport": WIDE, "color_scheme": "dark"},
}


def main(arguments: list[str]) -> int:
    url = arguments[0] if arguments else os.environ.get("TIMESERVICE_URL")
    if not url:
        return report_error("no URL: give it as the argument or set TIMESERVICE_URL")
    try:
        take_pictures(url.removesuffix("/now"))
    except (Error, AssertionError) as trouble:
        return report_error(f"{url} shows no two hosts that answer: {str(trouble).splitlines()[0]}")
    return 0


def take_pictures(url: str) -> None:
    with chromium() as browser:
        for name, options in PICTURES.items():
            with visit(browser, url, **options) as visitor:
                service = visitor.page.locator("#service")
                expect(service).to_have_text("Both hosts answer", timeout=20_000)
                picture = visitor.page.screenshot(full_page=True)
            # A palette is enough for a page without photographs, and makes a third of it.
            Image.open(io.BytesIO(picture)).quantize(128).save(DOCS / name, optimize=True)
            print(f"docs/{name}: {(DOCS / name).stat().st_size // 1000} KB")


def report_error(why: str) -> int:
    print(f"error: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
