"""What is in the archives that are shipped, by what is written in them: Debian packages and Python distributions."""

from __future__ import annotations

import email.message
import email.parser
import json
import logging
import re
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from debian.copyright import Copyright, NotMachineReadableError
from debian.deb822 import Deb822

# Debian packages leave these two (scripts/python-image.sh), and each wheel the third.
CONTROL = re.compile(r"var/lib/dpkg/status\.d/([^/]+)(?<!\.md5sums)")
COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)/copyright")
METADATA = re.compile(r"(?:app/site-packages/)?[^/]+\.dist-info/METADATA")

Files = dict[str, str]  # path in the archive, without a leading slash -> content


class Package(NamedTuple):
    """A part of what is shipped. `source` is what it was built from; `licences` are names, as its maker wrote them."""

    kind: str  # deb or pypi
    name: str
    version: str
    architecture: str  # as Debian calls it; of wheels: empty
    source: str
    licences: tuple[str, ...]


def packages(archive: Path) -> list[Package]:
    """Those of an image (as `docker save` writes it) or of a zip file, sorted."""
    files = files_of_image(archive) if archive.name.endswith(".tar.gz") else files_of_zip(archive)
    return sorted([*debian_packages(files), *distributions(files)])


def _told(path: str) -> bool:
    return any(pattern.fullmatch(path) for pattern in (CONTROL, COPYRIGHT, METADATA))


def files_of_image(archive: Path) -> Files:
    """Of the image's last layer that has each; one that a layer takes away is not there."""
    files: Files = {}
    with tarfile.open(archive) as image:
        manifest = image.extractfile("manifest.json")
        assert manifest  # noqa: S101 - docker save always writes it as a file
        (only,) = json.load(manifest)
        for name in only["Layers"]:
            with tarfile.open(fileobj=image.extractfile(name)) as layer:
                for entry in layer:
                    path = entry.name.removeprefix("./")
                    folder, _, base = path.rpartition("/")
                    if base.startswith(".wh."):  # how layers say that something below is gone
                        gone = (
                            folder
                            if base == ".wh..wh..opq"
                            else f"{folder}/{base.removeprefix('.wh.')}"
                        )
                        files = {
                            one: text
                            for one, text in files.items()
                            if one != gone and not one.startswith(f"{gone}/")
                        }
                    elif _told(path) and (content := layer.extractfile(entry)):
                        files[path] = content.read().decode()
    return files


def files_of_zip(archive: Path) -> Files:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name).decode() for name in opened.namelist() if _told(name)}


def debian_packages(files: Files) -> list[Package]:
    controls = [Deb822(text) for path, text in files.items() if CONTROL.fullmatch(path)]
    # "glibc (2.41-12)" where the source has another version than the package.
    source = {one["Package"]: one.get("Source", one["Package"]).split()[0] for one in controls}
    # A package without a text of its own has that of another one from the same source, as Debian's policy wants it.
    texts: dict[str, str] = {}
    for path, text in sorted(files.items()):
        if (match := COPYRIGHT.fullmatch(path)) and match[1] in source:
            texts.setdefault(source[match[1]], text)
    return [
        Package(
            "deb",
            name,
            one["Version"],
            one["Architecture"],
            source[name],
            debian_licences(texts.get(source[name], "")),
        )
        for one in controls
        for name in [one["Package"]]
    ]


def debian_licences(text: str) -> tuple[str, ...]:
    """The licences that a copyright file names, if it is one that machines can read."""
    logging.getLogger("debian.copyright").setLevel(
        logging.ERROR
    )  # many have small faults, of no matter here
    try:
        read = Copyright(text.splitlines(), strict=False)
    except NotMachineReadableError:
        return ()
    paragraphs = (*read.all_files_paragraphs(), *read.all_license_paragraphs())
    named = [one.license.synopsis for one in paragraphs if one.license]  # type: ignore[attr-defined]
    return tuple(sorted({one for name in named for one in re.split(r",? (?:and|or) ", name)}))


def distributions(files: Files) -> list[Package]:
    parse = email.parser.HeaderParser().parsestr
    found = [parse(text) for path, text in files.items() if METADATA.fullmatch(path)]
    return [
        Package(
            "pypi",
            one["Name"].lower(),
            one["Version"],
            "",
            one["Name"].lower(),
            distribution_licences(one),
        )
        for one in found
    ]


def distribution_licences(metadata: email.message.Message) -> tuple[str, ...]:
    """Its SPDX expression; in older metadata the classifiers' last parts; else the first line of the free text."""
    if expression := metadata["License-Expression"]:
        return (expression,)
    classifiers = [
        one for one in metadata.get_all("Classifier", []) if one.startswith("License :: ")
    ]
    if classifiers:
        return tuple(sorted(one.rsplit(" :: ", 1)[1] for one in classifiers))
    return tuple((metadata["License"] or "").splitlines()[:1])
