"""Put one fault at a time into the core modules, and count the faults that the tests notice.

    scripts/mutation.sh [--sample N] [MODULE ...]

cosmic-ray changes an operator, a number or a name in a copy of the clone. Then the tests of that
module run. The faults that no test notices are printed, and make the exit code 1.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkItem

from deployment import ROOT

# Seconds for the tests of a module. A fault that makes them hang is noticed.
TIMEOUT = 120
# The operators that people confuse. Others, such as >> for +, fail in any test.
OPERATORS = re.compile(
    r"core/(ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|Mod_Mul|Pow_Mul|FloorDiv_Div)"
    r"|ReplaceComparisonOperator_(Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Lt_GtE|Gt_LtE|LtE_Gt|GtE_Lt"
    r"|Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is|In_NotIn|NotIn_In)"
    r"|ReplaceUnaryOperator_(USub_UAdd|Delete_Not)|NumberReplacer|AddNot|ReplaceTrueWithFalse"
    r"|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd|ReplaceBreakWithContinue"
    r"|ReplaceContinueWithBreak|ZeroIterationForLoop|ExceptionReplacer|RemoveDecorator)$"
)
# The module -> its tests, of which the fastest come first.
TESTS = {
    "sntp.py": "tests/test_sntp.py",
    "healthcheck/interval.py": "tests/healthcheck/test_interval.py",
    "healthcheck/clock.py": "tests/healthcheck/test_clock.py",
    "healthcheck/reading.py": (
        "tests/healthcheck/test_verdict.py tests/healthcheck/test_reference.py"
    ),
    "healthcheck/timestamp.py": "tests/healthcheck/test_timestamp.py",
    "healthcheck/verdict.py": "tests/healthcheck/test_verdict.py",
    "healthcheck/reference.py": "tests/healthcheck/test_reference.py",
    "healthcheck/periodic.py": "tests/healthcheck/test_periodic.py",
    "healthcheck/samples.py": "tests/healthcheck/test_check.py tests/healthcheck/test_hostile.py",
    "healthcheck/coverage.py": "tests/healthcheck/test_coverage.py",
    "healthcheck/dialer.py": "tests/healthcheck/test_dialer.py",
    "healthcheck/check.py": (
        "tests/healthcheck/test_retry.py tests/healthcheck/test_check.py"
        " tests/healthcheck/test_hostile.py"
    ),
    "healthcheck/transport.py": (
        "tests/healthcheck/test_transport.py tests/healthcheck/test_hostile.py"
    ),
    "healthcheck/failures.py": "tests/healthcheck/test_failures.py",
    "healthcheck/waiting.py": "tests/healthcheck/test_waiting.py",
    "healthcheck/arguments.py": "tests/healthcheck/test_cli.py",
    "healthcheck/output.py": "tests/healthcheck/test_forms.py tests/healthcheck/test_cli.py",
    "healthcheck/handler.py": "tests/healthcheck/test_handler.py",
    "healthcheck/formats/text.py": "tests/healthcheck/test_forms.py",
    "healthcheck/formats/json.py": "tests/healthcheck/test_forms.py",
    "healthcheck/formats/nagios.py": "tests/healthcheck/test_forms.py",
    "healthcheck/formats/prometheus.py": "tests/healthcheck/test_forms.py",
    "healthcheck/formats/proof.py": "tests/healthcheck/test_forms.py",
    "service/clock.py": "tests/service/test_clock.py",
    "service/timeserver.py": "tests/service/test_timeserver.py",
    "service/app.py": "tests/service/test_app.py tests/service/test_page.py",
    "service/views.py": "tests/service/test_app.py tests/service/test_log.py",
    "service/log.py": "tests/service/test_log.py",
    "service/worker.py": (
        "tests/service/test_worker.py tests/service/test_abuse.py tests/service/test_gunicorn.py"
    ),
    "deployment/account.py": "tests/deployment/test_account.py",
    "deployment/state.py": "tests/deployment/test_state.py",
    "deployment/release.py": "tests/deployment/test_release.py",
    "deployment/ownership.py": (
        "tests/deployment/test_ownership.py tests/deployment/test_state.py"
    ),
    "deployment/settings.py": (
        "tests/deployment/test_program_refuses.py tests/deployment/test_program.py"
    ),
    "deployment/template.py": (
        "tests/deployment/test_template.py tests/deployment/test_program_refuses.py"
    ),
    "deployment/stacks.py": (
        "tests/deployment/test_program.py tests/deployment/test_program_release.py"
    ),
    "deployment/bucket.py": "tests/deployment/test_bucket.py",
    "deployment/leftovers.py": "tests/deployment/test_leftovers.py",
    "deployment/preflight.py": "tests/deployment/test_preflight.py",
    "deployment/inputs.py": "tests/deployment/test_program_refuses.py",
    "deployment/reviewer.py": "tests/deployment/test_program_reviewer.py",
    "__main__.py": "tests/deployment",
    "local/cloud/balancer.py": "tests/local/test_balancer.py tests/local/test_haproxy.py",
    "local/cloud/balancer_config.py": "tests/local/test_balancer.py tests/local/test_haproxy.py",
    "local/cloud/controller.py": "tests/local/test_controller.py",
    "local/cloud/hosts.py": "tests/local/test_controller.py",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/mutation.sh", description=__doc__)
    parser.add_argument("--sample", type=int, help="faults in each module (default: all)")
    parser.add_argument("module", nargs="*", help=f"such as sntp.py (default: all {len(TESTS)})")
    args = parser.parse_args()
    unknown = set(args.module) - set(TESTS)
    if unknown:
        parser.error(f"{', '.join(unknown)}: not in {', '.join(TESTS)}")
    total = killed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy_clone(Path(folder))
        os.chdir(folder)
        for module in args.module or TESTS:
            if subprocess.run(shlex.split(test_command(module)), check=False).returncode != 0:
                sys.exit(f"error: the tests of {module} fail without a fault")
            results = [is_noticed(item, module) for item in faults(module, args.sample)]
            total += len(results)
            killed += sum(results)
            print(f"{module}: {sum(results)} of {len(results)} faults noticed", flush=True)
    print(f"all: {killed} of {total} faults noticed ({killed / total:.1%})")
    return 0 if killed == total else 1


def copy_clone(folder: Path) -> None:
    """Copy the files of the clone that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for name in (".venv", "build"):
        (folder / name).symlink_to(ROOT / name)


def faults(module: str, sample: int | None) -> list[WorkItem]:
    """Return the faults to try in a module, the same sample each time."""
    with use_db("session.sqlite", WorkDB.Mode.create) as database:
        init([Path(module)], database, {})
        items = [
            item for item in database.work_items if OPERATORS.match(item.mutations[0].operator_name)
        ]
    items.sort(key=lambda item: (item.mutations[0].start_pos, item.mutations[0].operator_name))
    if sample is None or sample >= len(items):
        return items
    return random.Random(module).sample(items, sample)


def test_command(module: str) -> str:
    """Return the command that runs a module's tests until one fails."""
    pytest = ".venv/bin/python -m pytest -x -q -p no:cacheprovider"
    return f"{pytest} {TESTS[module]}"


def is_noticed(item: WorkItem, module: str) -> bool:
    """Return whether the tests notice the fault; print one that they do not notice."""
    result = mutate_and_test(item.mutations, test_command(module), TIMEOUT)
    if result.test_outcome != TestOutcome.SURVIVED:
        return True
    print(result.diff, flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
