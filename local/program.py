"""Run the Pulumi program in this process, for machines without the pulumi CLI.

The SDK's test monitor takes the place of the engine, and `Deployer` that of the provider. What the
program no longer declares is deleted at the end.
"""

import logging
import os
import re
import runpy
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime import configure, set_all_config, set_mocks

from deployment import ROOT
from deployment.errors import SettingError, UserError, format_for_pulumi
from deployment.settings import Settings, check_unchanged
from deployment.template import read_all
from local.deployer import Deployer, LookUps
from local.project import PROJECT, STACK, get_configuration
from local.stacks import list_stacks

PULUMI = "pulumi config set"


def check(overrides: dict[str, str]) -> Settings:
    """Return the settings of make up. Raises UserError, also for a broken template."""
    check_limits()
    # The budget is checked first: the local cloud refuses it, even with the address that it needs.
    budget = get_configuration(overrides)[f"{PROJECT['name']}:budget"]
    if budget != "0":
        complaint = "the local cloud has no AWS Budgets, and costs nothing"
        error = SettingError("budget", budget, complaint, {"budget": "0"})
        raise UserError(_format_error(error, overrides, "make up"))
    read_all()
    return load_settings(overrides, "make up")


def load_settings(overrides: dict[str, str], command: str, stack: str = STACK) -> Settings:
    """Return the settings. Raises UserError, with the command and the settings that it needs.

    command: the command to name, a make command that takes CONFIG, or PULUMI for the settings of
    its stack.
    """
    # The program's settings are read here as in a run of it.
    _configure(get_configuration(overrides, stack), stack)
    try:
        return Settings.load()
    except UserError as error:
        raise UserError(_format_error(error, overrides, command)) from None


def check_limits() -> None:
    """Raise UserError for a share of the machine with which no host would start."""
    cpus, most = os.environ.get("HOST_CPUS") or "1", os.cpu_count() or 1
    if not re.fullmatch(r"\d*\.?\d+", cpus) or not 0.01 <= float(cpus) <= most:
        raise UserError(f"HOST_CPUS={cpus}: give a number of CPUs from 0.01 to {most}")
    memory = os.environ.get("HOST_MEMORY") or "1g"
    size = re.fullmatch(r"(\d+)([mg])", memory)
    # The host's own Docker engine needs that much.
    if not size or int(size[1]) * {"m": 1, "g": 1000}[size[2]] < 256:
        raise UserError(f"HOST_MEMORY={memory}: give 256m or more, such as 512m or 1g")
    seconds = os.environ.get("TIMESERVICE_INSTALL_SECONDS") or "0"
    if not re.fullmatch(r"\d{1,3}", seconds):
        raise UserError(f"TIMESERVICE_INSTALL_SECONDS={seconds}: give a number from 0 to 999")


def check_network(settings: Settings, endpoint: str, overrides: dict[str, str]) -> None:
    """Raise UserError if a setting would move the network that is deployed."""
    try:
        check_unchanged(settings, list_stacks(endpoint))
    except UserError as error:
        raise UserError(_format_error(error, overrides, "make up")) from None


def run(deployer: Deployer, overrides: dict[str, str]) -> dict[str, Any]:
    """Run `__main__.py`; return its exports. Raises UserError, and what boto3 raises."""
    exports = run_main(deployer, get_configuration(overrides))
    deployer.delete_undeclared()
    return exports


def run_main(
    provider: LookUps, configuration: dict[str, str], stack: str = STACK
) -> dict[str, Any]:
    """Run `__main__.py` with the provider; return its exports. Raises what `run` raises.

    The program's preflight would ask AWS, with the user's own credentials.
    """
    # asyncio would print each failure again, with a traceback, for every future that has it.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    own = {f"{PROJECT['name']}:preflight": "false", "local:withoutEngine": "true"}
    _configure(configuration | own, stack)
    set_mocks(provider, project=PROJECT["name"], stack=stack, preview=False)
    exports: dict[str, Any] = {}

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def program() -> Any:
        from pulumi.runtime.settings import get_root_resource

        outputs = get_root_resource().outputs  # type: ignore[union-attr]
        # The root is the same object in all runs of a process.
        outputs.clear()
        runpy.run_path(str(ROOT / "__main__.py"))
        return pulumi.Output.all(**outputs).apply(exports.update)

    try:
        program()
    except Exception as error:
        if provider.failure:
            raise provider.failure from None
        # The program makes one pulumi.RunError of any UserError. The original error has the fields.
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise
    if provider.failure:
        raise provider.failure
    return exports


def _configure(configuration: dict[str, str], stack: str) -> None:
    # The user's variables are for the pulumi CLI. PULUMI_CONFIG would add settings.
    for variable in [name for name in os.environ if name.startswith("PULUMI_")]:
        del os.environ[variable]
    configure(pulumi.runtime.Settings(PROJECT["name"], stack))
    set_all_config(configuration)


def _format_error(error: UserError, overrides: Mapping[str, str], command: str) -> str:
    """Add the command that puts a setting right, with all settings that were given beside it."""
    if command == PULUMI:
        return format_for_pulumi(error)
    if isinstance(error, SettingError):
        words = [f"{key}={value}" for key, value in {**overrides, **error.together}.items()]
        return f'{error}. Run: {command} CONFIG="{" ".join(words)}"'
    return str(error)
