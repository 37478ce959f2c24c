"""Clients of the local AWS API, for the account's root or for whoever has other credentials."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import boto3
import requests
from botocore.config import Config

REGION = "us-east-1"
# It is on this machine: one that has not answered by then hangs.
PATIENCE = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})


class Credentials(NamedTuple):
    key: str
    secret: str
    token: str | None = None


# Known to everybody, as the account's alarm code is: it keeps the emulator's answers apart from AWS's, and nobody out.
ACCOUNT_ROOT = Credentials("test", "test")


def client(endpoint: str, service: str, credentials: Credentials = ACCOUNT_ROOT) -> Any:
    made = boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=credentials.key,
        aws_secret_access_key=credentials.secret,
        aws_session_token=credentials.token,
        config=PATIENCE,
    )
    made.meta.events.register("before-sign.s3", as_over_tls)
    return made


def as_over_tls(request: Any, **_: Any) -> None:
    """The bucket's policy refuses plain HTTP, which is all that the emulator speaks here."""
    request.headers["X-Forwarded-Proto"] = "https"


def client_of(endpoint: str) -> Callable[[str], Any]:
    """Makes the root's clients of that API's services."""
    return partial(client, endpoint)


def answers(endpoint: str) -> bool:
    try:
        return requests.get(f"{endpoint}/_ministack/health", timeout=2).ok
    except requests.RequestException:
        return False
