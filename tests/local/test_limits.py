"""A share of the machine with which no host would start is refused."""

from __future__ import annotations

import pytest

from deployment.errors import UserError
from local import program


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(
            ("HOST_CPUS", value)
            for value in ("0", "0.001", "-3", "abc", "1,5", "nan", "inf", "9999")
        ),
        *(("HOST_MEMORY", value) for value in ("lots", "0", "0g", "-1g", "255m", "1", "1gb", "m")),
        *(("TIMESERVICE_INSTALL_SECONDS", value) for value in ("a lot", "-1", "1e3", "1001")),
    ],
)
def test_a_share_with_which_no_host_starts_is_refused(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=f"^{variable}={value}: give "):
        program.check({})


@pytest.mark.parametrize(
    ("cpus", "memory"), [("0.01", "256m"), (".2", "1g"), ("1", "16g"), ("", "")]
)
def test_a_share_that_a_host_can_have_is_accepted(
    cpus: str, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_CPUS", cpus)
    monkeypatch.setenv("HOST_MEMORY", memory)
    assert program.check({}).min_hosts == 2
