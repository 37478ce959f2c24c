"""MiniStack with IAM enforced, the condition key cloudwatch:namespace, arm64's machine image, and
the policies of VPC endpoints.

The role of the healthcheck's function may write metrics of one namespace. MiniStack does not know
that condition, and would refuse the function every metric.

MiniStack writes its state to the disk when it ends. Here it does so after each change, so that it
returns with what is deployed after it was killed.
"""

import json
import logging
import threading
import time
from typing import Any
from xml.sax.saxutils import escape

from ministack import app
from ministack.core import iam_actions, persistence
from ministack.services import cloudformation, ec2, ssm

from local.cloud import service_calls

# Seconds between two saves.
SAVE_PERIOD = 2
READS = ("Batch", "Describe", "Get", "Head", "List")
IMAGES = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
_get_tag_context = iam_actions.request_tag_context
_describe_endpoint = ec2._vpce_fields_xml
_changed = threading.Event()


def get_context(
    service: str, action: str, body: bytes, parameters: dict[str, list[str]]
) -> dict[str, Any]:
    """Return what conditions see of a request: MiniStack's own keys, and the namespace."""
    if not action.partition(":")[2].startswith(READS):
        _changed.set()
    context: dict[str, Any] = _get_tag_context(service, action, body, parameters)
    # boto3 sends JSON.
    if action == "cloudwatch:PutMetricData" and body.startswith(b"{"):
        context["cloudwatch:namespace"] = str(json.loads(body).get("Namespace", ""))
    return context


def describe_endpoint(endpoint: dict[str, Any], tag: str = "item") -> str:
    """Return MiniStack's description of a VPC endpoint, with the policy, which that leaves out."""
    policy, end = escape(json.dumps(endpoint.get("PolicyDocument") or {})), f"</{tag}>"
    description = _describe_endpoint(endpoint, tag).removesuffix(end)
    return f"{description}<policyDocument>{policy}</policyDocument>{end}"


def enforce() -> None:
    iam_actions.request_tag_context = get_context
    ec2._vpce_fields_xml = describe_endpoint
    parameters = ssm._PUBLIC_AMI_PARAMETERS
    parameters[f"{IMAGES}arm64"] = parameters[f"{IMAGES}x86_64"]


def save_changes(*_: object) -> None:
    """Save the state if a request has changed it and no stack is in progress.

    An operation of CloudFormation would not continue in the next process. So the next process knows
    nothing of an interrupted operation, and the program simply does it again.
    """
    stacks = cloudformation._stacks._data.values()
    # A change set that nobody executes leaves a stack in review.
    states = {stack["StackStatus"] for stack in stacks} - {"REVIEW_IN_PROGRESS"}
    if any(state.endswith("_IN_PROGRESS") for state in states):
        return
    if _changed.is_set():
        _changed.clear()
        persistence.save_all(app._build_persistence_save_dict())


def keep_saving() -> None:
    while True:
        time.sleep(SAVE_PERIOD)
        # The thread of the requests saves, because nothing changes there meanwhile.
        if app._MAIN_LOOP:
            app._MAIN_LOOP.call_soon_threadsafe(save_changes)


if __name__ == "__main__":
    enforce()
    service_calls.install()
    app.BANNER = "MiniStack starts"
    # Hypercorn has a handler of its own, and would print each line twice.
    logging.getLogger("hypercorn.error").propagate = False
    # Each save would have a line for each service.
    logging.getLogger("persistence").setLevel(logging.WARNING)
    # MiniStack itself would save an interrupted operation, too, when it ends.
    app.save_all = save_changes
    threading.Thread(target=keep_saving, daemon=True).start()
    app.main()
