"""This machine: what it is, as figures depend on it, and a port of it."""

import os
import platform
import socket
from pathlib import Path

CPUINFO, MEMINFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")


def machine() -> str:
    models = [
        line.split(":")[1].strip()
        for line in CPUINFO.read_text().splitlines()
        if "model name" in line
    ]
    kib = int(MEMINFO.read_text().split()[1])
    return (
        f"{os.cpu_count()} x {models[0] if models else platform.machine()}, {kib / 2**20:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
