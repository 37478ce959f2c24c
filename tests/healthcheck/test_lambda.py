"""The Lambda function's package: the same bytes for the same sources, small, and complete."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.healthcheck_servers import ntp, time_service, web
from tests.support.templates import the
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


def make_package(clone: Path) -> Path:
    """The package as a clone in that folder makes it."""
    for folder in ("healthcheck", "scripts", "deployment"):
        shutil.copytree(ROOT / folder, clone / folder, copy_function=shutil.copyfile)
    shutil.copyfile(ROOT / "sntp.py", clone / "sntp.py")
    for script in (clone / "scripts").glob("*.sh"):
        script.chmod(0o755)
    (clone / ".venv").symlink_to(Path(sys.prefix))
    done = subprocess.run(
        [clone / "scripts" / "package.sh"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return clone / "build" / "healthcheck.zip"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_package(tmp_path_factory.mktemp("clone"))


def test_two_clones_make_the_same_bytes(package: Path, tmp_path: Path) -> None:
    again = make_package(tmp_path / "another" / "clone")
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (package, again)}
    assert len(digests) == 1


def test_it_is_below_three_megabytes_and_brings_nothing_that_lambda_has(package: Path) -> None:
    assert package.stat().st_size < 3_000_000
    with zipfile.ZipFile(package) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {"healthcheck", "sntp.py", "requests", "ntplib.py", "certifi"} <= tops
    assert not {"boto3", "botocore", "pip", "pytest", "bin", "tests"} & tops


def test_it_is_all_that_the_function_needs(package: Path, tmp_path: Path) -> None:
    """Call it as Lambda does. A compiled module, made for Python 3.13, has one in Python beside
    it."""
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    module, function = the("Lambda::Function")["Handler"].rsplit(".", 1)
    code = f"import {module} as module; print(module.{function}({{}}, None))"
    with web(time_service()) as service, ntp() as server:
        environment = {
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "TIMESERVICE_URL": service.url,
            "HEALTHCHECK_NTP": server.name,
            "DEPLOYMENT": "test",
            "METRIC_NAMESPACE": "timeservice",
        }
        done = subprocess.run(
            [sys.executable, "-S", "-c", code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.stdout.splitlines()[-1] == "OK", done.stdout + done.stderr
    assert "metrics not written: No module named 'boto3'" in done.stdout
