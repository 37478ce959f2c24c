"""Reach AWS as Pulumi's provider does, by the `aws:` settings of the stack."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import BotoCoreError

from deployment.errors import UserError

# Pulumi's provider reads these keys, and boto3 does not. With one of them, boto3 would ask another
# account or address than Pulumi.
PROVIDER_ONLY = (
    "assumeRole",
    "assumeRoles",
    "assumeRoleWithWebIdentity",
    "customCaBundle",
    "httpProxy",
    "httpsProxy",
    "insecure",
    "noProxy",
    "sharedConfigFiles",
    "sharedCredentialsFiles",
    "useDualstackEndpoint",
    "useFipsEndpoint",
)
RENEW = "Renew or correct the credentials, and test them: aws sts get-caller-identity"


class Account(NamedTuple):
    """client: makes boto3's client of a service."""

    region: str
    client: Callable[..., Any]


def get_account(config: Mapping[str, Any]) -> Account:
    """Return the account that a stack is deployed to. Raises UserError.

    config: that of the stack, as Pulumi.<stack>.yaml or the engine has it.
    """
    settings = {
        key.removeprefix("aws:"): value for key, value in config.items() if key.startswith("aws:")
    }
    for key, value in settings.items():
        remedy = "Use a profile: pulumi config set aws:profile NAME && pulumi config rm aws:" + key
        if key in PROVIDER_ONLY and value:
            raise UserError(f"only Pulumi's provider reads aws:{key}. {remedy}")
        if isinstance(value, dict) and "secure" in value:
            raise UserError(f"aws:{key} is encrypted, and only pulumi reads it. {remedy}")
    keys = {key for key in ("accessKey", "secretKey", "token") if settings.get(key)}
    if keys and not keys >= {"accessKey", "secretKey"}:
        given = " and ".join(f"aws:{key}" for key in sorted(keys))
        raise UserError(
            f"aws:accessKey and aws:secretKey belong together, and only {given} is set. "
            f"Set both, or unset {given}"
        )
    try:
        session = boto3.Session(
            aws_access_key_id=settings.get("accessKey"),
            aws_secret_access_key=settings.get("secretKey"),
            aws_session_token=settings.get("token"),
            # boto3 itself reads AWS_DEFAULT_REGION and the profile's Region, but not AWS_REGION.
            region_name=settings.get("region") or os.environ.get("AWS_REGION") or None,
            profile_name=settings.get("profile"),
        )
    except BotoCoreError as error:
        raise UserError(f"requests to AWS fail: {error}. {RENEW}") from None
    if not session.region_name:
        raise UserError("no Region is configured. Run: pulumi config set aws:region us-east-1")
    endpoints = _parse_endpoints(settings.get("endpoints") or [])

    def client(service: str, **options: Any) -> Any:
        url = endpoints.get(service.replace("-", ""))
        return session.client(service, endpoint_url=url, **options)

    return Account(session.region_name, client)


def _parse_endpoints(endpoints: Any) -> dict[str, str]:
    """Return the URLs by the provider's names of services. The engine has them as JSON."""
    try:
        items = json.loads(endpoints) if isinstance(endpoints, str) else endpoints
        return {service: url for item in items for service, url in item.items()}
    except (ValueError, TypeError, AttributeError):
        raise UserError(
            'aws:endpoints is not of the form [{"ec2": "URL"}]. '
            "Correct it in the stack's file, Pulumi.STACK.yaml"
        ) from None
