"""Describe this machine, on which measured figures depend, and find a free port on it."""

import os
import platform
import re
import socket
from pathlib import Path


def machine() -> str:
    model = re.search("model name.*: (.+)", Path("/proc/cpuinfo").read_text())
    kib = int(Path("/proc/meminfo").read_text().split()[1])
    return (
        f"{os.cpu_count()} x {model[1] if model else platform.machine()}, {kib / 2**20:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
