"""The bill of materials lists what an image holds, in CycloneDX's JSON."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.support.archives import pack_tar

SCRIPT = Path(__file__).parents[2] / "scripts/sbom.py"
SPEC = importlib.util.spec_from_file_location("sbom", SCRIPT)
assert SPEC
assert SPEC.loader
sbom = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(sbom)

CONTROL = "Package: {}\nVersion: {}\nArchitecture: amd64\nDescription: a\n package\n"
WHEEL = "Metadata-Version: 2.4\nName: {}\nVersion: {}\n\nText with Version: 3\n"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of two layers, in the form of `docker save`."""
    base = {
        "./var/lib/dpkg/status.d/libstdc++6": CONTROL.format("libstdc++6", "1:2.41-12+deb13u5~1"),
        "./var/lib/dpkg/status.d/libstdc++6.md5sums": "0123  usr/lib/libstdc++.so.6\n",
        "./usr/share/doc/libstdc++6/copyright": CONTROL.format("none", "0"),
    }
    wheels = {
        "app/site-packages/Ruamel.Yaml_x-2.dist-info/METADATA": WHEEL.format("Ruamel.Yaml_x", "2"),
        "app/site-packages/Ruamel.Yaml_x-2.dist-info/licenses/METADATA": WHEEL.format("none", "0"),
    }
    layers = {name: pack_tar(files) for name, files in (("base.tar", base), ("wheels.tar", wheels))}
    path = tmp_path / "image.tar.gz"
    manifest = json.dumps([{"Layers": list(layers)}]).encode()
    path.write_bytes(pack_tar({"manifest.json": manifest} | layers))
    return path


def test_the_bill_lists_the_packages_of_all_layers(image: Path) -> None:
    components = sbom.bill_of_materials(image, "timeservice", "0123")["components"]
    assert [(part["name"], part["version"], part["purl"]) for part in components] == [
        (
            "libstdc++6",
            "1:2.41-12+deb13u5~1",
            "pkg:deb/debian/libstdc%2B%2B6@1:2.41-12%2Bdeb13u5~1?arch=amd64&distro=debian-13",
        ),
        ("ruamel-yaml-x", "2", "pkg:pypi/ruamel-yaml-x@2"),
    ]


def test_the_bill_is_valid_and_names_the_image(image: Path) -> None:
    bill = sbom.bill_of_materials(image, "timeservice", "0123")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    assert bill["metadata"]["component"]["name"] == "timeservice"
    assert bill["metadata"]["component"]["version"] == "0123"
