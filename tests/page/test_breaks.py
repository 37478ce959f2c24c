"""What the page says when something breaks; the time goes on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import off, visit, words
from tests.two_hosts import TwoHosts

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("how", ["lost", "dying"])
def test_a_host_that_dies_is_named_the_time_goes_on_and_its_return_is_seen(
    how: str, browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url) as visitor:
        page = visitor.page
        expect(page.locator("#service")).to_have_text("Both hosts answer")
        getattr(hosts, how).add(1)
        expect(page.locator("#service")).to_have_text(
            "One host answers; the one in us-east-1b does not"
        )
        expect(page.locator(".host").nth(1)).to_contain_text("Does not answer")
        assert -0.5 < off(page) < 0.3
        hosts.heal()
        expect(page.locator("#service")).to_have_text("Both hosts answer")
        expect(page.locator(".host")).to_have_count(2)


def test_a_service_that_fails_is_said_and_asked_until_it_is_back(
    browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        hosts.silent = True
        expect(visitor.page.locator("#service")).to_contain_text("No answer (it says 502)")
        assert -0.5 < off(visitor.page) < 0.3
        hosts.silent = False
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")


def test_without_a_network_it_says_so_goes_on_and_recovers(
    browser: Browser, hosts: TwoHosts
) -> None:
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")
        visitor.context.set_offline(True)
        expect(visitor.page.locator("#service")).to_contain_text("Your computer is offline")
        visitor.page.wait_for_timeout(1200)
        assert -0.5 < off(visitor.page) < 0.3
        visitor.context.set_offline(False)
        expect(visitor.page.locator("#service")).to_have_text("Both hosts answer")


def test_hosts_that_contradict_each_other_are_told(browser: Browser, hosts: TwoHosts) -> None:
    hosts.shift = 2.0
    with visit(browser, hosts.url) as visitor:
        expect(visitor.page.locator("#service")).to_have_text("The hosts contradict each other")


def test_a_host_that_contradicts_itself_is_told(page: Page, hosts: TwoHosts) -> None:
    hosts.shift = 2.0
    page.evaluate("askAround(2)")
    expect(page.locator(".host").first).to_contain_text(
        words(r"contradict each other by (1\.9\d|2\.0\d) s or more")
    )
