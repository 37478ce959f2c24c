"""Each file of the image belongs to a package that its bill of materials names, or is ours."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
import re
import tarfile
from pathlib import Path

import pytest

from deployment.release import archive

pytestmark = pytest.mark.rehearsal

ROOT = Path(__file__).parents[2]
ARCHITECTURE = platform.machine().replace("aarch64", "arm64")
TRIPLET = f"{platform.machine()}-linux-gnu"
WHEELS = "app/site-packages/"
# The packages' lists of digests have no files under /etc. mmdebstrap makes the rest.
SETTINGS = {
    "etc/apt/apt.conf.d/70debconf",
    "etc/debconf.conf",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "etc/ethertypes",
    f"etc/ld.so.conf.d/{TRIPLET}.conf",
    "etc/mime.types",
    "etc/protocols",
    "etc/python3.13/sitecustomize.py",
    "etc/rpc",
    "etc/services",
    "var/lib/apt/lists/lock",
}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """The regular files of the image."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive(f"image-{ARCHITECTURE}").path) as image:
        manifest = image.extractfile("manifest.json")
        assert manifest
        for name in json.load(manifest)[0]["Layers"]:
            with tarfile.open(fileobj=image.extractfile(name)) as layer:
                for entry in layer:
                    if entry.isfile() and (content := layer.extractfile(entry)):
                        found[entry.name.removeprefix("./")] = content.read()
    return found


@pytest.fixture(scope="module")
def bill() -> dict[str, set[tuple[str, str]]]:
    """Name and version of the packages in the bill, by their kind."""
    packages: dict[str, set[tuple[str, str]]] = {"deb": set(), "pypi": set()}
    content = json.loads((ROOT / f"build/sbom-{ARCHITECTURE}.json").read_text())
    assert content["metadata"]["component"]["version"] == archive(f"image-{ARCHITECTURE}").digest
    for component in content["components"]:
        kind = component["purl"].removeprefix("pkg:").split("/")[0]
        packages[kind].add((component["name"], component["version"]))
    return packages


def test_the_bill_has_the_wheels_of_the_lock_and_no_others(
    bill: dict[str, set[tuple[str, str]]],
) -> None:
    lock = (ROOT / "service/requirements.txt").read_text()
    assert bill["pypi"] == set(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))


def test_every_file_of_debians_is_of_a_package_in_the_bill_and_as_that_package_has_it(
    files: dict[str, bytes], bill: dict[str, set[tuple[str, str]]]
) -> None:
    digests: dict[str, str] = {}
    for name, _ in bill["deb"]:
        listed = files[f"var/lib/dpkg/status.d/{name}.md5sums"].decode()
        digests |= {
            path: digest for digest, path in (line.split("  ", 1) for line in listed.splitlines())
        }
    told = {
        f"var/lib/dpkg/status.d/{name}{kind}"
        for name, _ in bill["deb"]
        for kind in ("", ".md5sums")
    }
    debians = {path for path in files if not path.startswith("app/")} - SETTINGS - told
    assert {"usr/bin/python3.13", f"usr/lib/{TRIPLET}/libc.so.6"} <= debians
    assert debians - digests.keys() == set()
    # Debian's lists have MD5, which shows an accidental change. apt has checked the signatures.
    changed = [
        path
        for path in debians
        if hashlib.md5(files[path], usedforsecurity=False).hexdigest() != digests[path]
    ]
    assert changed == []


def test_every_file_of_python_s_is_of_a_wheel_in_the_bill_or_ours(
    files: dict[str, bytes], bill: dict[str, set[tuple[str, str]]]
) -> None:
    recorded: set[str] = set()
    records = [path for path in files if re.fullmatch(WHEELS + r"[^/]+\.dist-info/RECORD", path)]
    assert len(records) == len(bill["pypi"])
    for path in records:
        recorded |= {WHEELS + row[0] for row in csv.reader(files[path].decode().splitlines())}
    ours = {
        f"app/{path.relative_to(ROOT)}"
        for path in [ROOT / "sntp.py", *(ROOT / "service").glob("*.py")]
    }
    ours |= {
        f"app/service/page/{path.name}"
        for path in (ROOT / "service/page").iterdir()
        if path.is_file()
    }
    compiled = {
        path
        for path in files
        if re.fullmatch(r"app/(.*/)?__pycache__/[^/]+\.cpython-313\.pyc", path)
    }
    assert {path for path in files if path.startswith("app/")} - compiled - recorded == ours


def test_nothing_in_the_image_is_of_the_machine_that_made_it(files: dict[str, bytes]) -> None:
    assert not files.keys() & {
        "etc/hostname",
        "etc/resolv.conf",
        "etc/machine-id",
        "etc/apt/sources.list",
        "etc/hosts",
    }
