"""The page as it is sent is small and complete, with a policy that lets nothing else in.

tests/service/page opens it in a browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import get_args

import pytest

from service import clock, page
from service.app import HEADERS, PAGE_HEADERS, create_app
from service.clock import REASONS, UNHEALTHY, State
from service.timeserver import Monitor, Status

NANOSECONDS = 1_795_428_672_999_999_999  # 2026-11-23T10:11:12.999999999Z
POLICY = PAGE_HEADERS["Content-Security-Policy"]
IDENTITY = {"instance": "i-0123456789abcdef0", "zone": "eu-central-1a", "version": "0a1b2c3d4e5f"}


def render(state: State = "synchronised", identity: dict[str, str] = IDENTITY) -> str:
    return page.render(NANOSECONDS, Status(state, {}), identity)


def element_text(tag: str, text: str) -> str:
    (found,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return str(found)


def test_it_has_no_time_if_the_host_s_own_is_false() -> None:
    text = render("wrong")
    for words in ("10:11:12", "2026", "Monday", "time of your request"):
        assert words not in text
    assert '<time id="now"><span id="clock">--:--:--</span>' in text


def test_it_has_the_time_the_day_and_who_says_so() -> None:
    text = render()
    for words in ("10:11:12", "Monday, 23 November 2026", *IDENTITY.values()):
        assert words in text
    assert '<time id="now" datetime="2026-11-23T10:11:12Z">' in text
    assert "The clock agrees with the time server" in text


@pytest.mark.parametrize("state", get_args(State))
def test_each_state_of_a_clock_has_its_colour_and_its_words(state: State) -> None:
    text = render(state)
    level = "good" if state == "synchronised" else "bad" if state in UNHEALTHY else "warn"
    words = REASONS[state][0].upper() + REASONS[state][1:]
    assert f'data-level="{level}"' in text
    assert words in text
    (states,) = re.findall(r'<script type="application/json" id="states">(.*?)</script>', text)
    assert json.loads(states)[state] == [level, words]


@pytest.mark.parametrize("name", IDENTITY)
def test_what_a_host_is_called_is_text(name: str) -> None:
    text = render(identity=IDENTITY | {name: "<script>alert(1)</script>\"'"})
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;" in text


def test_it_is_small() -> None:
    assert len(render().encode()) < 30_000


@pytest.mark.parametrize("tag", ["style", "script"])
def test_the_policy_names_what_is_in_the_page_by_its_digest(tag: str) -> None:
    digest = base64.b64encode(
        hashlib.sha256(element_text(tag, render()).encode()).digest()
    ).decode()
    assert f"; {tag}-src 'sha256-{digest}'; " in POLICY


def test_the_policy_allows_nothing_else() -> None:
    assert POLICY.startswith("default-src 'none'; ")
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert set(re.findall(r"([a-z-]+-src) ", POLICY)) == {
        "default-src",
        "style-src",
        "script-src",
        "connect-src",
        "img-src",
    }


def test_nothing_in_it_would_need_more_than_that() -> None:
    text = render()
    markup = re.sub(r"<(style|script)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"\s(style|on[a-z]+)=", markup)
    assert set(re.findall(r"https?://[^'\" ]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(cookie|localStorage|innerHTML|eval)\b|@import", text)


def test_the_page_alone_has_that_policy() -> None:
    client = create_app(Monitor("169.254.169.123")).test_client()
    assert client.get("/").headers["Content-Security-Policy"] == POLICY
    assert client.get("/now").headers["Content-Security-Policy"] != POLICY
    assert {name for name in HEADERS if HEADERS[name] != PAGE_HEADERS[name]} == {
        "Content-Security-Policy"
    }


def test_its_script_judges_as_the_service_does() -> None:
    assert f"const JITTER = {1000 * clock.JITTER:.0f};" in page.SCRIPT
