"""MiniStack, which enforces IAM, with a condition that it does not know: the namespace of metrics.

The healthcheck's function may write metrics of one namespace. MiniStack gives conditions no `cloudwatch:namespace`, so
that it would refuse the function all of them.
"""

from __future__ import annotations

import json
from typing import Any

from ministack import app
from ministack.core import iam_actions

_tags = iam_actions.request_tag_context


def known_to_conditions(
    service: str, action: str, body: bytes, parameters: dict[str, list[str]]
) -> dict[str, Any]:
    """In the place of MiniStack's own function, which knows the tags of requests."""
    context: dict[str, Any] = _tags(service, action, body, parameters)
    if action == "cloudwatch:PutMetricData" and body.startswith(b"{"):  # in JSON, as boto3 sends it
        context["cloudwatch:namespace"] = str(json.loads(body).get("Namespace", ""))
    return context


def enforce() -> None:
    iam_actions.request_tag_context = known_to_conditions


if __name__ == "__main__":
    enforce()
    app.main()
