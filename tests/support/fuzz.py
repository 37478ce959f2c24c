"""`make fuzz`: tries to break what tests/support/properties.py says, for as long as it is given.

With atheris, which looks at what is covered and so finds its way into the branches; without it (there is no wheel of it
for this machine), hypothesis tries many more examples than it does in `make unit`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time

COVERED = ["healthcheck", "sntp", "service"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Try to break the properties.")
    parser.add_argument("--seconds", type=int, default=20, help="for each property (default: 20)")
    parser.add_argument("--only", help="the property to try, in this process")
    args = parser.parse_args()
    if not importlib.util.find_spec("atheris"):
        print("  atheris cannot be had here: hypothesis alone, 20,000 examples each", flush=True)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "auto",
            "tests/healthcheck/test_properties.py",
        ]
        return subprocess.call(command, env={**os.environ, "HYPOTHESIS_PROFILE": "fuzz"})
    if args.only:
        fuzzed(args.only, args.seconds)
    return all_of_them(args.seconds)


def all_of_them(seconds: int) -> int:
    """Each in a process of its own, as the fuzzer ends its process; returns how many were broken."""
    from tests.support import properties

    broken = 0
    for name in properties.ALL:
        print(f"  {name:<60} ", end="", flush=True)
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.fuzz", "--only", name, "--seconds", str(seconds)],
            capture_output=True,
            text=True,
            check=False,
        )
        tried = [line for line in done.stderr.splitlines() if line.startswith("Done ")]
        held = done.returncode == 0 and tried
        print(f"{time.monotonic() - start:6.1f} s  {tried[0].split()[1] if held else 'BROKEN'}")
        if not held:
            broken += 1
            print(done.stdout[-3000:] + done.stderr[-3000:])
    return broken


def fuzzed(name: str, seconds: int) -> None:
    """Try one; ends the process."""
    import atheris

    with atheris.instrument_imports(include=COVERED):
        from tests.support import properties
    options = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        "-artifact_prefix=build/",
        "-print_final_stats=1",
    ]
    atheris.Setup(options, properties.ALL[name].hypothesis.fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    raise SystemExit(main())
