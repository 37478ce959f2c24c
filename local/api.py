"""How the local AWS API is reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import requests
from botocore.config import Config

REGION = "us-east-1"
# It is on this machine: one that has not answered by then hangs.
PATIENCE = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})


def client_of(endpoint: str) -> Callable[[str], Any]:
    """Makes boto3 clients of that API's services."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator takes any key
            config=PATIENCE,
        )

    return client


def answers(endpoint: str) -> bool:
    try:
        return requests.get(f"{endpoint}/_ministack/health", timeout=2).ok
    except requests.RequestException:
        return False
