"""Print the bill of materials of an image, in CycloneDX's JSON: sbom.py IMAGE.tar.gz NAME VERSION.

It lists the Debian packages and the wheels of which the image holds the metadata. The same image
gives the same bytes.
"""

import json
import re
import sys
import tarfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

# Where scripts/python-image.sh leaves the metadata of Debian packages, and where wheels have
# theirs.
METADATA = re.compile(
    r"(\./)?(var/lib/dpkg/status\.d/[^/]+(?<!\.md5sums)|app/site-packages/[^/]+\.dist-info/METADATA)"
)
DEBIAN = "debian-13"  # the release that scripts/debian.sh takes packages from


def read_metadata(image: Path) -> Iterator[str]:
    """Yield the metadata of each package in an archive that `docker save` wrote."""
    with tarfile.open(image) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                for entry in layer:
                    content = METADATA.fullmatch(entry.name) and layer.extractfile(entry)
                    if content:
                        yield content.read().decode()


def parse_component(metadata: str) -> dict[str, str]:
    """Return the CycloneDX component of a Debian package or of a wheel.

    Its purl has the form of https://github.com/package-url/purl-spec.
    """
    fields = HeaderParser().parsestr(metadata)
    if "Package" in fields:
        name, version = fields["Package"], fields["Version"]
        purl = f"pkg:deb/debian/{quote(name)}@{quote(version, safe=':')}"
        purl += f"?arch={fields['Architecture']}&distro={DEBIAN}"
    else:
        name, version = re.sub(r"[-_.]+", "-", fields["Name"]).lower(), fields["Version"]
        purl = f"pkg:pypi/{name}@{quote(version)}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def bill_of_materials(image: Path, name: str, version: str) -> dict[str, Any]:
    """Return the bill of an archive that `docker save` wrote."""
    components = [parse_component(metadata) for metadata in read_metadata(image)]
    root = {"type": "container", "bom-ref": name, "name": name, "version": version}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": sorted(components, key=lambda component: component["purl"]),
    }


if __name__ == "__main__":
    print(json.dumps(bill_of_materials(Path(sys.argv[1]), *sys.argv[2:]), indent=2))
