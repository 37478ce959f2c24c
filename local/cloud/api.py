"""MiniStack with IAM enforced, and with the condition key cloudwatch:namespace.

The role of the healthcheck's function may write metrics of one namespace. MiniStack does not know
that condition, and would refuse the function every metric.
"""

import json
from typing import Any

from ministack import app
from ministack.core import iam_actions

_get_tag_context = iam_actions.request_tag_context


def get_context(
    service: str, action: str, body: bytes, parameters: dict[str, list[str]]
) -> dict[str, Any]:
    """Return what conditions see of a request: MiniStack's own keys, and the namespace."""
    context: dict[str, Any] = _get_tag_context(service, action, body, parameters)
    # boto3 sends JSON.
    if action == "cloudwatch:PutMetricData" and body.startswith(b"{"):
        context["cloudwatch:namespace"] = str(json.loads(body).get("Namespace", ""))
    return context


def enforce() -> None:
    iam_actions.request_tag_context = get_context


if __name__ == "__main__":
    enforce()
    app.main()
