"""The page of the deployment in a browser: through its balancer, from both of its hosts."""

from __future__ import annotations

import docker
import pytest
from playwright.sync_api import expect

from drills.clone import Clone
from tests.rehearsal.cloud import hosts
from tests.support.browser import (
    chromium,
    expect_right_time,
    states,
    visit,
    wait_until_idle,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.rehearsal


def test_the_page_ticks_is_right_and_knows_both_hosts(
    clone: Clone, engine: docker.DockerClient
) -> None:
    names = {host.labels["timeservice.instance"] for host in hosts(engine)}
    with chromium() as browser, visit(browser, clone.url, ahead=3) as visitor:
        wait_until_idle(visitor.page)
        cards = visitor.page.locator(".host")
        expect(cards).to_have_count(2)
        assert set(cards.locator(".instance").all_inner_texts()) == names
        assert cards.locator(".zone").all_inner_texts() == ["us-east-1a", "us-east-1b"]
        verdict = visitor.page.locator("#verdict")
        wait_until(lambda: states(verdict.inner_text(), 3.0))
        expect_right_time(visitor.page)
        assert {url for url in visitor.asked if not url.startswith("data:")} == {
            f"{clone.url}/",
            f"{clone.url}/now",
        }
        assert visitor.context.cookies() == []
        assert visitor.trouble == []
