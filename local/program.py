"""Runs the Pulumi program in-process, for machines without the pulumi CLI.

The SDK's own test monitor stands in for the engine, and `Deployer` for the provider: a way to run the program, not an
engine. What the program no longer declares is deleted at the end.
"""

from __future__ import annotations

import logging
import re
import runpy
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime import set_all_config, set_mocks

from deployment.errors import UserError
from deployment.inputs import Inputs
from deployment.settings import Settings
from local.api import ACCOUNT_ROOT, Credentials
from local.containers import ROOT
from local.deployer import REFUSALS, Deployer
from local.project import PROJECT, STACK, configuration


def check(overrides: dict[str, str]) -> Settings:
    """The settings, or UserError for what the program would refuse, before anything is built or started."""
    _configure(overrides)
    try:
        found = Inputs.load().settings
    except pulumi.RunError as wrong:
        raise _told(wrong) from None
    if found.budget:
        raise UserError(
            f"configuration timeservice:budget is {found.budget}, and the local cloud has no AWS Budgets (it costs "
            "nothing either). Leave it out here; it is for AWS: pulumi config set budget DOLLARS"
        )
    return found


def settings(overrides: dict[str, str]) -> Settings:
    """As check, for those who deploy nothing: without a look at the archives."""
    _configure(overrides)
    try:
        return Settings.load()
    except pulumi.RunError as wrong:
        raise _told(wrong) from None


def _configure(overrides: dict[str, str]) -> None:
    declared = PROJECT["config"]
    for key in overrides:
        if key not in declared:
            known = ", ".join(declared)
            raise UserError(f"there is no setting {key!r}; those in Pulumi.yaml are: {known}")
    set_mocks(Deployer("http://nowhere.invalid"), project=PROJECT["name"], stack=STACK)
    set_all_config(configuration(overrides))


def run(
    endpoint: str,
    overrides: dict[str, str],
    reviewer: Mapping[str, Any] | None = None,
    credentials: Credentials = ACCOUNT_ROOT,
) -> tuple[dict[str, Any], int]:
    """Run `__main__.py`; returns its exports and how many things changed. Raises UserError with the reason.

    reviewer: what the run before exported of it.
    """
    deployer = Deployer(endpoint, reviewer, credentials)
    exports = play(deployer, configuration(overrides))
    try:
        deployer.delete_undeclared()
    except REFUSALS as refused:
        raise UserError(f"what is no longer declared cannot be deleted: {refused}") from None
    return exports, deployer.changes


def play(deployer: Deployer, configuration: dict[str, str], stack: str = STACK) -> dict[str, Any]:
    """Run `__main__.py` before the deployer; returns its exports. Raises UserError with the reason."""
    # A failure is told at the end, once; asyncio would tell it again, with a traceback, for each future that holds it.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    set_mocks(deployer, project=PROJECT["name"], stack=stack, preview=False)
    set_all_config(configuration)
    exports: dict[str, Any] = {}

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def program() -> Any:
        from pulumi.runtime.settings import get_root_resource

        outputs = get_root_resource().outputs  # type: ignore[union-attr]
        outputs.clear()  # the root is one for all runs in a process
        runpy.run_path(str(ROOT / "__main__.py"))
        return pulumi.Output.all(**outputs).apply(exports.update)

    try:
        program()
    except Exception as trouble:
        told = _told(trouble)
        raise deployer.failure or (
            told if isinstance(told, UserError) else deployer.refused or told
        ) from None
    if deployer.failure:
        raise deployer.failure
    return exports


def _told(trouble: BaseException) -> BaseException:
    """An error that the program raised for people, in its own words; anything else as it is."""
    if isinstance(trouble, pulumi.RunError):
        text = re.sub(r"pulumi config set (\w+) VALUE", r'make up CONFIG="\1=VALUE"', str(trouble))
        return UserError(text)
    return trouble
