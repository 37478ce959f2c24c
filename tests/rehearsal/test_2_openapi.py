"""Responses through the balancer match docs/openapi.yaml, as in tests/service/test_openapi.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from schemathesis import Case

from drills.clone import Clone
from tests.support.openapi import SETTINGS, check_response, document, kinds, operations

pytestmark = pytest.mark.rehearsal


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/now", "/"])
def test_what_comes_through_the_balancer_is_as_documented(
    path: str, method: str, clone: Clone
) -> None:
    operation = operations(document())[f"{method} {path}"]
    for kind in kinds(operation):

        @settings(SETTINGS, max_examples=10)
        @given(operation.as_strategy(kind))
        def ask(case: Case[Any]) -> None:
            check_response(case, case.call(base_url=clone.url))

        ask()
