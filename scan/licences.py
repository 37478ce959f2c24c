"""python -m scan.licences: what is shipped, under which licences; exit status 1 if one is not permitted below.

Written to build/licences.txt: a line for each package of the service's image and of the healthcheck's package (whose
container has the same base as the service's). Licences are named as the makers do: for Debian packages those of all
their source files, so that a library may have many more than it is under itself.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator

from deployment import ROOT
from deployment.release import ArchiveError, archive
from scan.shipped import Package, packages

# Why they may be passed on -> licences, by the names that are in use for them.
PERMITTED = {
    "asks for its own text to be passed on, which is in the image beside what it is of": """
        0BSD, Apache-2.0, Apache Software License, Artistic, BSD License, BSD-2-clause, BSD-3-clause,
        BSD-3-clause-Berkeley, BSD-3-clause-Carnegie, BSD-3-clause-Oracle, BSD-3-clause-WIDE, BSD-3-clause-fjord,
        BSD-4-clause, BSD-like-Spencer, BSD-variant, BSL-1.0, BSLA, CORE-MATH, Carnegie, DEC, Expat, FSFAP, IBM,
        ISC, ISC-no-attribution, Inner-Net, MIT, MIT License, MIT-like-Lord, MIT-old, MIT/X11, Ms-PL, PCRE, PSF-2.0,
        SunPro, TCL-like, Unicode-DFS-2016, Univ-Coimbra, X11, Zlib, ad-hoc, permissive-nowarranty""",
    "asks for nothing": "PD, PD-debian, public-domain",
    "asks for the source, which Debian keeps under the package's name and version, as it is passed on unchanged": """
        GPL, GPL-1+, GPL-2, GPL-2+, GPL-3, GPL-3+, GPL-2+-with-link-exception,
        GPL-3.0-or-later WITH GCC-exception-3.1, LGPL, LGPL-2+, LGPL-2.1+, LGPL-2.1+-with-link-exception, LGPL-3+,
        MPL-1.1, Mozilla Public License 2.0 (MPL 2.0)""",
    "asks for the source of what uses Berkeley DB: Debian keeps Python's, and ours does not use it": "Sleepycat",
    "is of build scripts, manuals and texts of licences, which are in the source and not in the package": """
        FSFUL, FSFULLR, GFDL-NIV-1.3+, GPL-3.0-or-later-WITH-Autoconf-exception-macro, noderivs, none""",
}
# What was read by hand, as the copyright file is not one that machines can read: source package -> licence.
READ_BY_HAND = {
    "gcc-14": "GPL-3.0-or-later WITH GCC-exception-3.1",  # of its run-time library, which is what is shipped
    "python3.13": "PSF-2.0",
}


def licences(package: Package) -> tuple[str, ...]:
    """What it is under; empty if nothing says so."""
    by_hand = READ_BY_HAND.get(package.source) if package.kind == "deb" else None
    return package.licences or ((by_hand,) if by_hand else ())


def problems(shipped: Iterable[Package]) -> Iterator[str]:
    """What is not permitted, or unknown. Of a choice (OR) all must be permitted too: nobody here chooses."""
    for one in shipped:
        if not licences(one):
            yield f"{one.name} {one.version}: nothing says under which licence"
        for licence in licences(one):
            names = (
                [licence]
                if permitted(licence)
                else re.split(r" (?:AND|OR) ", re.sub(r"[()]", "", licence))
            )
            for name in names:
                if not permitted(name):
                    yield f"{one.name} {one.version}: {name} is not among what scan/licences.py permits"


def permitted(name: str) -> bool:
    return any(
        name.lower() == one.strip().lower()
        for names in PERMITTED.values()
        for one in names.split(",")
    )


def table(archives: dict[str, list[Package]]) -> str:
    rows = [
        (part, one.kind, one.name, one.version, ", ".join(licences(one)))
        for part, shipped in archives.items()
        for one in shipped
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return "".join("  ".join(row).rstrip() + "\n" for row in padded)


def main() -> int:
    try:
        archives = {kind: packages(archive(kind).path) for kind in ("image", "package")}
    except ArchiveError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 2
    target = ROOT / "build" / "licences.txt"
    target.write_text(table(archives))
    found = sorted({problem for shipped in archives.values() for problem in problems(shipped)})
    for problem in found:
        print(f"  {problem}", file=sys.stderr)
    print(
        f"  build/licences.txt: {sum(map(len, archives.values()))} packages, {len(found)} not permitted"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
