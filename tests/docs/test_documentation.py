"""The documents name links, targets, settings and options that exist.

Each command in them is run by a test, or needs an account on AWS and is at least well-formed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import botocore.session
import pytest
import yaml
from botocore import xform_name

from drills.runner import DRILLS
from local.program import load_settings
from ops.cost import get_month, list_lines
from tests.service.abuse.wire import ROWS
from tests.support.documented import (
    ROOT,
    Command,
    list_all_commands,
    list_documents,
    remove_figures,
)
from tests.support.documented_runs import find_other_test
from tests.support.waiting import PATIENCE

TEXTS = {str(file.relative_to(ROOT)): file.read_text() for file in list_documents()}
MAKEFILE = (ROOT / "Makefile").read_text()
SETTINGS = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
# Verb of the pulumi CLI -> options that we use (https://www.pulumi.com/docs/iac/cli/commands/); it
# is not on PyPI.
PULUMI = {
    "login": {"--local"},
    "preview": set(),
    "cancel": set(),
    "stack init": set(),
    "stack ls": set(),
    "stack rm": set(),
    "stack output": {"--show-secrets", "--stack"},
    "config set": {"--secret"},
    "config rm": set(),
    "up": {"--refresh", "--yes", "--stack"},
    "destroy": {"--yes", "--stack"},
    "refresh": {"--yes", "--stack"},
}
# Commands of the AWS CLI that are no operation of the API, which botocore knows.
CUSTOM = {"cloudformation deploy", "logs tail", "s3 cp", "s3 ls", "s3 mb", "s3 rm", "configure"}
PSEUDO = {"--region", "--query", "--output", "--profile", "--max-items"}  # options of every command


def words(pattern: str) -> list[tuple[str, str]]:
    """Return each match of the pattern's group, with its document."""
    return sorted(
        {(name, match) for name, text in TEXTS.items() for match in re.findall(pattern, text)}
    )


@cache
def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub makes from the headings of a file."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize(
    ("document", "link"),
    words(r"\]\(([^)\s]+)\)")
    + words(r"(?:src|srcset)=\"([^\"]+)\"")
    + words(r"(?m)^\[[\w-]+\]: (\S+)"),
)
def test_each_link_leads_somewhere(document: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    if path.startswith("http"):
        assert re.fullmatch(r"https://[\w.-]+(/\S*)?", path)
        return
    target = (ROOT / document).parent / path if path else ROOT / document
    assert target.exists()
    if anchor:
        assert anchor in anchors(target)


@pytest.mark.parametrize(("document", "target"), words(r"(?:`|\$ )make ([a-z][a-z-]*)"))
def test_each_target_of_make_is_there(document: str, target: str) -> None:
    if document == "CHANGELOG.md":
        return  # it names the targets that earlier versions had
    assert re.search(rf"^{target}:.*## \w", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize(
    ("document", "key"),
    words(r"pulumi config set ([\w:]+) ") + words(r"CONFIG=\"?(\w+)=") + words(r"--config (\w+)="),
)
def test_each_setting_is_one(document: str, key: str) -> None:
    assert key in {"aws:region", "aws:profile", "KEY", *SETTINGS}


@cache
def help_of(module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("document", "call"), words(r"python3? -m ((?:[a-z_.]+)(?: --?[a-z-]+(?:[ =][\w./:\"$-]+)?)*)")
)
def test_each_module_runs_and_has_these_options(document: str, call: str) -> None:
    module, *rest = shlex.split(call)
    for option in (word for word in rest if word.startswith("--")):
        assert option.partition("=")[0] in help_of(module)


def list_calls(tool: str) -> list[tuple[str, str]]:
    """Return each command of a tool with its document: in blocks, in $(...), in backticks."""
    within = words(rf"`({tool} [a-z][^`]*)`") + words(rf"\$\(({tool} [a-z][^)]*)\)")
    blocks = [command for command in list_all_commands() if command.text.startswith(f"{tool} ")]
    return within + [(command.file, command.text) for command in blocks]


@pytest.mark.parametrize(("document", "command"), list_calls("pulumi"))
def test_each_command_of_pulumi_s_is_well_formed(document: str, command: str) -> None:
    for call in re.split(r" && ", command):
        _, *rest = shlex.split(call)
        options = {word.partition("=")[0] for word in rest if word.startswith("--")}
        verbs = [verb for verb in PULUMI if rest[: len(verb.split())] == verb.split()]
        assert verbs, call
        assert options <= PULUMI[verbs[0]]


@pytest.mark.parametrize(("document", "command"), list_calls("aws"))
def test_each_command_of_the_aws_cli_s_is_well_formed(document: str, command: str) -> None:
    _, service, *rest = shlex.split(command.replace("\\\n", " "))
    verb = rest[0] if rest and not rest[0].startswith("-") else ""
    if service in CUSTOM or f"{service} {verb}" in CUSTOM:
        return
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert verb in operations
    shape = model.operation_model(operations[verb]).input_shape
    members = {f"--{xform_name(name, '-')}" for name in (shape.members if shape else {})}
    options = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert {re.sub("^--no-", "--", option) for option in options} <= members | PSEUDO


@pytest.mark.parametrize("command", list_all_commands(), ids=lambda command: command.id)
def test_each_command_is_run_by_a_test_or_says_that_it_needs_aws(command: Command) -> None:
    done = subprocess.run(
        ["bash", "-n"],
        input=command.text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if command.file == "docs/aws-cli.md":
        return  # test_aws_cli.py runs those
    if command.aws:
        assert re.match(
            r"(pulumi |aws |export AWS_|[A-Z]+=\$\((pulumi|aws) |make |\.venv/bin/python -m )",
            command.text,
        )
    elif where := find_other_test(command):  # all others: tests/rehearsal/test_2_documentation.py
        file, call = where
        assert call in (ROOT / file).read_text()


@pytest.mark.parametrize("command", list_all_commands(), ids=lambda command: command.id)
def test_a_command_means_the_same_in_zsh(command: Command) -> None:
    """zsh takes a remark as arguments, and does not split an unquoted variable into words."""
    unquoted = re.sub(r"\"[^\"]*\"|'[^']*'", "", command.text)
    assert not re.search(r"(^|\s)#|\$\w", unquoted)


def test_no_document_is_left_out() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(listed.stdout.split()) <= set(TEXTS)


def test_the_readme_is_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 120


@pytest.mark.parametrize(
    ("line", "same", "other"),
    [
        (
            "  stack timeservice-local-hosts-6a936518f99b                   24.9 s  created",
            "  stack timeservice-local-hosts-0123456789ab   1.0 s  created",
            "  stack timeservice-local-hosts-6a936518f99b                   24.9 s  deleted",
        ),
        (
            "OK: worst +0 ms, reference this machine's clock (no NTP server answered)",
            "OK: worst +0 ms, reference 4 NTP servers",
            "OK: worst +0 ms, reference nothing",
        ),
        (
            "OK: worst +1.4 ms (+-102 ms)",
            "OK: worst -13 ms (+-9.1 ms)",
            "Failed: worst +1.4 ms (+-102 ms)",
        ),
    ],
)
def test_two_outputs_are_alike_when_only_their_figures_differ(
    line: str, same: str, other: str
) -> None:
    assert remove_figures(line) == remove_figures(same) != remove_figures(other)


@pytest.mark.parametrize(
    ("words", "document"),
    [
        (r"(0 of [\d,]+) in a\sgood one", "docs/drills.md"),
        (r"0 of\s([\d,]+) in one that failed", "docs/drills.md"),
        (r"(1,320 of 1,320) trials the true error", "docs/accuracy.md"),
    ],
)
def test_what_the_readme_says_was_measured_is_told_with_its_command(
    words: str, document: str
) -> None:
    (figure,) = re.findall(words, TEXTS["README.md"])
    assert all(number in TEXTS[document] for number in re.findall(r"[\d,]+", figure))


def test_what_the_readme_says_of_costs_drills_and_abuse_is_what_the_commands_say() -> None:
    readme = TEXTS["README.md"]
    month = get_month(list_lines(load_settings({}, "make cost"), "us-east-1", 2))
    assert f"${month / 730:.3f} an hour, ${month:.0f} a month in us-east-1" in readme
    assert f"$100 of credits last {100 / month * 730 // 24:.0f} days" in readme
    assert f"{len(DRILLS)} ways to break it" in readme
    assert f"{len(ROWS)} malformed or hostile requests" in readme


def test_each_program_that_the_two_commands_run_is_named_as_needed() -> None:
    section = TEXTS["README.md"].partition("## Two commands")[2].partition("\n## ")[0]
    (needed,) = re.findall(r"^\| On \| (.+?) \|$", section, re.MULTILINE)
    programs = set(re.findall(r"^\$ (\S+)", section, re.MULTILINE))
    assert programs == {"make", "curl"}
    assert all(f"`{program}`" in needed for program in programs)
