"""make scan: says what the scanners find; exit status 1 if there is anything to mend, 2 if a scanner has not worked."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from deployment.template import TemplateError, read_all
from scan import credentials, templates, vulnerabilities
from scan.tools import ROOT, Broken, Report

SCANS: dict[str, Callable[[Path], Report]] = {
    "templates": lambda folder: templates.scan(read_all(), folder),
    "secrets": lambda folder: credentials.scan(ROOT, folder),
    "packages": lambda folder: vulnerabilities.scan(folder, vulnerabilities.locks()),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m scan", description=__doc__)
    parser.add_argument(
        "scan", nargs="*", metavar="SCAN", help=f"one of {', '.join(SCANS)} (default: all)"
    )
    asked = parser.parse_args(arguments).scan or list(SCANS)
    if unknown := set(asked) - SCANS.keys():
        parser.error(f"no such scan: {', '.join(sorted(unknown))}; there are {', '.join(SCANS)}")
    problems = 0
    for name in asked:
        try:
            with tempfile.TemporaryDirectory() as folder:
                report = SCANS[name](Path(folder).resolve())
        except (Broken, TemplateError) as wrong:
            print(f"error: {name}: {wrong}", file=sys.stderr)
            return 2
        print(f"  {name}: {'; '.join(report.notes)}")
        for problem in report.problems:
            print(f"    {problem}")
        problems += len(report.problems)
    if problems:
        how = "scan/templates.py and scan/credentials.py say how"
        print(f"\nerror: {problems} to mend, or to accept with a reason: {how}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
