"""The reviewer that tests are about, and what is expected of it.

In reviewer.csv, `both`, `user`, `role` or `nobody` may; `never`: denied whatever else is allowed.
"""

from __future__ import annotations

import csv
from pathlib import Path

from tests.cfn.permissions.emulator import ACCOUNT
from tests.cfn.permissions.evaluators import Question

DEPLOYMENT = "timeservice-test"
NAMES = {
    "Deployment": DEPLOYMENT,
    "Release": "0123456789ab",
    "ArtifactsBucket": f"{DEPLOYMENT}-artifacts-bucket-1",
    "LogGroup": f"{DEPLOYMENT}-healthcheck-LogGroup-1",
    "Function": f"{DEPLOYMENT}-healthcheck-Function-1",
    "Dashboard": f"{DEPLOYMENT}-healthcheck-Dashboard-1",
}
TRUST = {"TrustedAccount": ACCOUNT, "ExternalId": "review-2f6c91"}


def read_table() -> list[tuple[str, Question]]:
    with (Path(__file__).parent / "reviewer.csv").open() as file:
        return [
            (
                row["who"],
                Question(
                    row["action"],
                    row["resource"] if row["resource"] == "*" else f"arn:aws:{row['resource']}",
                    {"aws:RequestedRegion": row["region"]},
                ),
            )
            for row in csv.DictReader(file)
        ]


TABLE = read_table()
QUESTIONS = [question for _, question in TABLE]


def surprises(answers: list[bool], kind: str) -> list[str]:
    return [
        f"{question.action} on {question.resource} in {question.context['aws:RequestedRegion']}: "
        f"{'allowed' if answer else 'denied'}"
        for (who, question), answer in zip(TABLE, answers, strict=True)
        if answer != (who in ("both", kind))
    ]
