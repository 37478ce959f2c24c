"""A browser, and two hosts to open in it, for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import chromium, visit
from tests.support.two_hosts import TwoHosts, two_hosts


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def shared_hosts() -> Iterator[TwoHosts]:
    with two_hosts() as hosts:
        yield hosts


@pytest.fixture
def hosts(shared_hosts: TwoHosts) -> TwoHosts:
    shared_hosts.heal()
    return shared_hosts


@pytest.fixture
def page(browser: Browser, hosts: TwoHosts) -> Iterator[Page]:
    """Open the page with a right clock. At the end, its console may have no errors."""
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        yield visitor.page
        assert visitor.trouble == []
