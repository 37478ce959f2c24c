"""The image for arm64 serves /now: its own Python and packages run in an emulator."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.tools import DEBIAN, find_file

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
# No other program runs: the emulator would not know it.
PROGRAM = """
import json, platform, markupsafe._speedups
from service.app import create_app
response = create_app().test_client().get("/now")
print(json.dumps([platform.machine(), response.status_code, response.get_json()["tz"]]))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file system in the archive that make image makes for t4g.micro."""
    subprocess.run(
        ["make", "image"],
        cwd=ROOT,
        env={**os.environ, "CONFIG": "instanceType=t4g.micro"},
        check=True,
        timeout=900,
    )
    folder = tmp_path_factory.mktemp("image")
    with tarfile.open(ROOT / "build/image-arm64.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    (manifest,) = json.loads((folder / "manifest.json").read_text())
    assert json.loads((folder / manifest["Config"]).read_text())["architecture"] == "arm64"
    for layer in manifest["Layers"]:
        # Devices are for root alone to make.
        command = ["tar", "--extract", "--file", folder / layer, "--directory", folder]
        subprocess.run([*command, "--no-same-owner", "--exclude=dev/*"], check=True)
    return folder


@pytest.mark.skipif(platform.machine() == "aarch64", reason="the rehearsal runs the image itself")
def test_the_arm64_image_s_own_python_serves_now(image: Path) -> None:
    # In Debian 13, the package qemu-user has the static program.
    emulator = DEBIAN / "qemu-user/usr/bin/qemu-aarch64"
    if not emulator.exists():
        emulator = find_file(
            "qemu-user-static", "usr/bin/qemu-aarch64-static", "scripts/tools.sh qemu-user-static"
        )
    done = subprocess.run(
        [emulator, "-L", image, image / "usr/bin/python3.13", "-c", PROGRAM],
        env={
            "PYTHONPATH": f"{image}/app/site-packages:{image}/app",
            "PYTHONTZPATH": "",
            "TIMESERVICE_TIME_SERVER": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["aarch64", 200, "UTC"]
