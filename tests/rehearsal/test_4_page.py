"""What the page shows while a host dies, and when another host has replaced it."""

from __future__ import annotations

import docker
import pytest
from playwright.sync_api import expect

from drills.clone import Clone
from tests.rehearsal.cloud import hosts
from tests.support.browser import chromium, expect_right_time, visit, wait_until_idle

pytestmark = pytest.mark.rehearsal

HEALED = 600_000  # ms; the group notices, starts another, and that synchronises its clock


def test_the_page_tells_of_a_host_that_dies_and_of_the_one_that_takes_its_place(
    clone: Clone, engine: docker.DockerClient
) -> None:
    victim = hosts(engine)[0]
    zone, instance = (victim.labels[f"timeservice.{name}"] for name in ("zone", "instance"))
    with chromium() as browser, visit(browser, clone.url) as visitor:
        wait_until_idle(visitor.page)
        victim.kill()
        service = visitor.page.locator("#service")
        expect(service).to_contain_text(f"the one in {zone} does not", timeout=HEALED)
        expect_right_time(visitor.page)
        expect(service).to_have_text("Both hosts answer", timeout=HEALED)
        names = visitor.page.locator(".host .instance").all_inner_texts()
    assert len(names) == 2
    assert instance not in names
