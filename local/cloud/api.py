"""MiniStack with IAM enforced, the condition key cloudwatch:namespace, and arm64's machine image.

The role of the healthcheck's function may write metrics of one namespace. MiniStack does not know
that condition, and would refuse the function every metric.
"""

import json
from typing import Any

from ministack import app
from ministack.core import iam_actions
from ministack.services import ssm

IMAGES = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
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
    parameters = ssm._PUBLIC_AMI_PARAMETERS
    parameters[f"{IMAGES}arm64"] = parameters[f"{IMAGES}x86_64"]


if __name__ == "__main__":
    enforce()
    app.main()
