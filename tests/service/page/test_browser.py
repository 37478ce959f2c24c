"""The browser of the tests, on a machine that lacks libraries."""

from __future__ import annotations

import os
from pathlib import Path

import playwright
import pytest

from tests.support.browser import chromium
from tests.support.tools import libraries

pytestmark = pytest.mark.integration


def test_playwright_s_node_js_finds_the_unpacked_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Path(playwright.__file__).parent / "driver/node"
    wrapper, found = tmp_path / "node", tmp_path / "found"
    wrapper.write_text(f'#!/bin/sh\necho "$LD_LIBRARY_PATH" >"{found}"\nexec "{node}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(wrapper))
    environment = dict(os.environ)
    with chromium() as browser:
        assert browser.is_connected()
        # What tests start must not have these libraries.
        assert os.environ == environment
    assert found.read_text().strip() == libraries()
