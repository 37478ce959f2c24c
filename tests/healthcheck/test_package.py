"""The healthcheck can be installed alone, with what it needs and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from healthcheck import __version__
from tests.support.healthcheck_servers import ntp, time_service, web
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "UV_CACHE_DIR": str(ROOT / "build" / f"cache-{os.getuid()}")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_can_be_installed_alone_and_runs(tmp_path: Path) -> None:
    sources, venv = tmp_path / "sources", tmp_path / "venv"
    shutil.copytree(ROOT / "healthcheck", sources / "healthcheck")
    for file in ("pyproject.toml", "README.md", "sntp.py"):
        shutil.copy(ROOT / file, sources)
    run(UV, "venv", "--quiet", venv, cwd=tmp_path)
    python = venv / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--python", python, sources, cwd=tmp_path)
    installed = run(
        UV, "pip", "list", "--quiet", "--python", python, "--format", "freeze", cwd=tmp_path
    )
    assert {line.split("==")[0] for line in installed.splitlines()} == {
        "timeservice-healthcheck",
        "ntplib",
        "requests",  # requests needs the others
        "certifi",
        "charset-normalizer",
        "idna",
        "urllib3",
    }
    command = venv / "bin" / "healthcheck"
    assert run(command, "--version", cwd=tmp_path).strip() == __version__
    with web(time_service()) as service, ntp() as server:
        output = run(command, service.url, "--ntp", server.name, cwd=tmp_path)
    assert output.startswith("OK: ")
