"""The bill of materials of the service's image, build/sbom.json, in CycloneDX's JSON, checked by its schema.

The same packages make the same bytes: it bears no time, and its serial number comes from what it lists.
"""

from __future__ import annotations

import json
import sys
import uuid

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from deployment import ROOT
from deployment.release import ArchiveError, archive
from scan.licences import licences
from scan.shipped import Package, packages

RELEASE_OF_DEBIAN = "debian-13"  # the one that scripts/debian.sh takes packages from


def component(package: Package) -> Component:
    make, named = LicenseFactory(), licences(package)
    if package.kind == "deb":
        told = {"arch": package.architecture, "distro": RELEASE_OF_DEBIAN}
        url = PackageURL("deb", "debian", package.name, package.version, told)
        chosen: list[License] = [
            make.make_with_name(one) for one in named
        ]  # Debian's names are not SPDX's
    else:
        url = PackageURL("pypi", None, package.name, package.version)
        chosen = [make.make_from_string(one) for one in named]
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=url,
        bom_ref=url.to_string(),
        licenses=chosen,
    )


def bill(shipped: list[Package], digest: str) -> str:
    """The bill as JSON, of an image made from sources of that digest. Raises ValueError if it breaks the schema."""
    made = Bom(components=[component(one) for one in shipped], serial_number=uuid.UUID(int=0))
    made.metadata.component = Component(
        name="timeservice", version=digest, type=ComponentType.CONTAINER, bom_ref="timeservice"
    )
    made.register_dependency(made.metadata.component, made.components)
    content = json.loads(JsonV1Dot6(made).output_as_string())
    del content["metadata"]["timestamp"]
    del content["serialNumber"]
    content["serialNumber"] = (
        f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content, sort_keys=True))}"
    )
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"no CycloneDX: {wrong}")
    return text


def main() -> int:
    try:
        made_from = archive("image")
    except ArchiveError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    shipped = packages(made_from.path)
    (ROOT / "build" / "sbom.json").write_text(bill(shipped, made_from.digest))
    print(
        f"  build/sbom.json: CycloneDX 1.6, {len(shipped)} packages, image from sources {made_from.digest}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
