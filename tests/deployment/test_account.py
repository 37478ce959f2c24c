"""Requests have the identity, the Region and the address that Pulumi's provider would use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deployment.account import PROVIDER_ONLY, get_account
from deployment.errors import UserError

REGION = {"aws:region": "eu-north-1"}


@pytest.fixture(autouse=True)
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    (tmp_path / "config").write_text(
        "[profile work]\nregion = sa-east-1\naws_access_key_id = work\naws_secret_access_key = x\n"
    )


def get_credentials(config: dict[str, Any]) -> tuple[str, str, str | None]:
    credentials = get_account(config).client("sts")._request_signer._credentials
    return credentials.access_key, credentials.secret_key, credentials.token


def test_the_region_is_the_stack_s_then_the_environment_s_then_the_profile_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pulumi's provider has this order. A repair in another Region would find none of the
    stacks."""
    with pytest.raises(UserError, match=r"no Region is configured\. Run: pulumi config set"):
        get_account({})
    profile = {"aws:profile": "work"}
    assert get_account(profile).region == "sa-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert get_account(profile).region == "us-west-2"
    monkeypatch.setenv("AWS_REGION", "us-west-1")
    assert get_account(profile).region == "us-west-1"
    account = get_account(profile | REGION)
    assert account.region == "eu-north-1"
    assert account.client("ec2").meta.region_name == "eu-north-1"
    assert account.client("sts", region_name="us-east-1").meta.region_name == "us-east-1"


def test_keys_in_the_configuration_count_before_the_profile_and_that_before_the_environment() -> (
    None
):
    assert get_credentials(REGION) == ("environment", "x", None)
    profile = REGION | {"aws:profile": "work"}
    assert get_credentials(profile) == ("work", "x", None)
    keys = {"aws:accessKey": "key", "aws:secretKey": "secret", "aws:token": "token"}
    assert get_credentials(REGION | keys) == ("key", "secret", "token")
    assert get_credentials(profile | keys) == ("key", "secret", "token")
    del keys["aws:token"]
    assert get_credentials(REGION | keys) == ("key", "secret", None)


@pytest.mark.parametrize(
    "endpoints",
    [
        [{"sts": "http://10.0.0.1", "servicequotas": "http://10.0.0.2"}],
        [{"sts": "http://10.0.0.1"}, {"servicequotas": "http://10.0.0.2"}],
        '[{"sts": "http://10.0.0.1", "servicequotas": "http://10.0.0.2"}]',
    ],
)
def test_a_service_is_asked_at_its_endpoint(endpoints: Any) -> None:
    client = get_account(REGION | {"aws:endpoints": endpoints}).client
    assert client("sts").meta.endpoint_url == "http://10.0.0.1"
    assert client("service-quotas").meta.endpoint_url == "http://10.0.0.2"
    assert client("ec2").meta.endpoint_url == "https://ec2.eu-north-1.amazonaws.com"


@pytest.mark.parametrize("endpoints", [{"sts": "http://10.0.0.1"}, "[", "[1]", 5])
def test_endpoints_of_another_form_are_refused(endpoints: Any) -> None:
    with pytest.raises(UserError, match="aws:endpoints is not of the form"):
        get_account(REGION | {"aws:endpoints": endpoints})


@pytest.mark.parametrize("key", PROVIDER_ONLY)
def test_what_the_provider_alone_reads_is_refused_by_name(key: str) -> None:
    with pytest.raises(UserError, match=f"only Pulumi's provider reads aws:{key}") as refused:
        get_account(REGION | {f"aws:{key}": [{"roleArn": "arn"}]})
    assert str(refused.value).endswith(f"NAME && pulumi config rm aws:{key}")


def test_an_encrypted_key_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="aws:secretKey is encrypted, and only pulumi reads it"):
        get_account(REGION | {"aws:accessKey": "x", "aws:secretKey": {"secure": "v1:abc"}})


@pytest.mark.parametrize("keys", [["accessKey"], ["secretKey"], ["token"], ["secretKey", "token"]])
def test_a_part_of_a_key_is_refused_by_name(keys: list[str]) -> None:
    given = {f"aws:{key}": "x" for key in keys}
    with pytest.raises(UserError) as refused:
        get_account(REGION | given)
    assert str(refused.value) == (
        f"aws:accessKey and aws:secretKey belong together, and only {' and '.join(given)} is set. "
        f"Set both, or unset {' and '.join(given)}"
    )


def test_a_profile_that_does_not_exist_is_named() -> None:
    with pytest.raises(UserError, match=r"requests to AWS fail: .*home"):
        get_account(REGION | {"aws:profile": "home"})


def test_what_changes_no_request_is_let_pass() -> None:
    settings = {"aws:defaultTags": {"tags": {"a": "b"}}, "aws:maxRetries": 3}
    assert get_account(REGION | settings | {"timeservice:limit": "1"}).region == "eu-north-1"
