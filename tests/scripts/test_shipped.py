"""What is shipped is read from the archives themselves: a made-up image here; the real one in a rehearsal."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from scan.licences import problems, table
from scan.sbom import bill
from scan.shipped import Package, packages

CONTROL = "Package: {}\nVersion: {}\nArchitecture: amd64\nSource: {}\n"
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: somebody
License: {}
"""
METADATA = (
    "Metadata-Version: 2.4\nName: {}\nVersion: {}\n{}\n\nText with License-Expression: none\n"
)


def tar(files: dict[str, str | bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            data = content.encode() if isinstance(content, str) else content
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return written.getvalue()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """As docker save writes it: a base, and a layer above that replaces one wheel by another."""
    wheels = "app/site-packages"
    base = tar({
        "./var/lib/dpkg/status.d/libc6": CONTROL.format("libc6", "2.41-12", "glibc (2.41)"),
        "./var/lib/dpkg/status.d/libc6.md5sums": "0123  usr/lib/libc.so.6\n",
        "./var/lib/dpkg/status.d/libc-bin": CONTROL.format("libc-bin", "2.41-12", "glibc"),
        "./usr/share/doc/libc6/copyright": COPYRIGHT.format("GPL-2+ or MIT"),
        f"{wheels}/old-1.dist-info/METADATA": METADATA.format("old", "1", "License-Expression: MIT"),
        f"{wheels}/kept-1.dist-info/METADATA": METADATA.format("kept", "1", "License-Expression: MIT AND X11"),
    })  # fmt: skip
    above = tar({
        f"{wheels}/.wh.old-1.dist-info": "",
        f"{wheels}/New-2.dist-info/METADATA": METADATA.format("New", "2", "Classifier: License :: BSD License"),
        f"{wheels}/New-2.dist-info/licenses/other-1.dist-info/METADATA": METADATA.format("other", "1", ""),
    })  # fmt: skip
    path = tmp_path / "image.tar.gz"
    path.write_bytes(
        tar({"manifest.json": json.dumps([{"Layers": ["a", "b"]}]), "a": base, "b": above})
    )
    return path


SHIPPED = [
    Package("deb", "libc-bin", "2.41-12", "amd64", "glibc", ("GPL-2+", "MIT")),
    Package("deb", "libc6", "2.41-12", "amd64", "glibc", ("GPL-2+", "MIT")),
    Package("pypi", "kept", "1", "", "kept", ("MIT AND X11",)),
    Package("pypi", "new", "2", "", "new", ("BSD License",)),
]


def test_packages_of_an_image_are_those_of_its_last_layers(image: Path) -> None:
    assert packages(image) == SHIPPED


def test_packages_of_a_zip_file_are_its_distributions(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        archive.writestr(
            "requests-2.dist-info/METADATA", METADATA.format("requests", "2", "License: Apache-2.0")
        )
        archive.writestr("requests/sessions.py", "")
    assert packages(tmp_path / "package.zip") == [
        Package("pypi", "requests", "2", "", "requests", ("Apache-2.0",))
    ]


@pytest.mark.parametrize(
    ("licence", "problem"),
    [
        (("MIT",), None),
        (("expat", "GPL-2+"), None),  # Debian's names differ in case
        (("(Apache-2.0 OR BSD-2-Clause) AND MIT",), None),
        (("Mozilla Public License 2.0 (MPL 2.0)",), None),
        ((), "x 1: nothing says under which licence"),
        (("SSPL-1.0",), "x 1: SSPL-1.0 is not among what scan/licences.py permits"),
        (("MIT AND LicenseRef-Proprietary",), "x 1: LicenseRef-Proprietary is not among what scan/licences.py permits"),
        (("AGPL-3.0-only OR MIT",), "x 1: AGPL-3.0-only is not among what scan/licences.py permits"),
        (("M",), "x 1: M is not among what scan/licences.py permits"),
    ],
)  # fmt: skip
def test_licences_that_nobody_has_permitted_are_problems(
    licence: tuple[str, ...], problem: str | None
) -> None:
    assert list(problems([Package("pypi", "x", "1", "", "x", licence)])) == (
        [problem] if problem else []
    )


def test_what_was_read_by_hand_counts_where_nothing_is_written_and_nowhere_else() -> None:
    assert list(problems([Package("deb", "libgcc-s1", "14", "amd64", "gcc-14", ())])) == []
    assert len(list(problems([Package("pypi", "gcc-14", "14", "", "gcc-14", ())]))) == 1


def test_the_table_has_a_line_for_each_package() -> None:
    assert table({"image": SHIPPED[1:3]}) == (
        "image  deb   libc6  2.41-12  GPL-2+, MIT\nimage  pypi  kept   1        MIT AND X11\n"
    )


def test_the_bill_names_all_packages_and_is_the_same_for_the_same_ones() -> None:
    text = bill(SHIPPED, "0123456789ab")
    assert bill(SHIPPED, "0123456789ab") == text
    read = json.loads(text)
    assert [one["purl"] for one in read["components"]] == [
        "pkg:pypi/kept@1",
        "pkg:deb/debian/libc-bin@2.41-12?arch=amd64&distro=debian-13",
        "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13",
        "pkg:pypi/new@2",
    ]
    assert read["metadata"] == {
        "component": {
            "bom-ref": "timeservice",
            "name": "timeservice",
            "type": "container",
            "version": "0123456789ab",
        }
    }
    assert json.loads(bill(SHIPPED[1:], "0123456789ab"))["serialNumber"] != read["serialNumber"]
