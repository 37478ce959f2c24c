"""Clients of the local AWS API, for the root of the account or for other credentials."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import boto3
import requests
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

REGION = "us-east-1"
# What boto3 raises.
REFUSALS = (Boto3Error, BotoCoreError, ClientError)
# The API is on this machine: a response that takes longer never comes, and no proxy reaches it.
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2}, proxies={})
HTTP = requests.Session()
HTTP.trust_env = False

# The user's settings for AWS, in files and in the environment, are for AWS accounts, and may be
# broken. So this session reads no setting from a file or from the environment.
SESSION = boto3.Session(
    botocore_session=Session(
        {
            variable: (None, None, default, convert)
            for variable, (_, _, default, convert) in Session.SESSION_VARIABLES.items()
        }
    )
)


class Credentials(NamedTuple):
    key: str
    secret: str
    token: str | None = None


# This key is no secret: it opens an emulator that only this machine reaches.
ACCOUNT_ROOT = Credentials("test", "test")


def client(endpoint: str, service: str, credentials: Credentials = ACCOUNT_ROOT) -> Any:
    """Return boto3's client of a service behind the API at that URL."""
    boto_client = SESSION.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=credentials.key,
        aws_secret_access_key=credentials.secret,
        aws_session_token=credentials.token,
        config=CONFIG,
    )
    boto_client.meta.events.register("before-sign.s3", claim_tls)
    return boto_client


def claim_tls(request: Any, **_: Any) -> None:
    """Mark a request as one over TLS, because the bucket's policy refuses plain HTTP."""
    request.headers["X-Forwarded-Proto"] = "https"


def client_of(endpoint: str) -> Callable[[str], Any]:
    """Return a function that makes the root's client of a service."""
    return partial(client, endpoint)


def is_up(endpoint: str) -> bool:
    try:
        return HTTP.get(f"{endpoint}/_ministack/health", timeout=2).ok
    except requests.RequestException:
        return False
