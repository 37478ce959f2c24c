"""The share of the machine that each new host gets, and the work of its first boot."""

import os
import re

from deployment.errors import UserError


def check_limits() -> None:
    """Raise UserError for a value with which no host would start."""
    cpus, most = os.environ.get("HOST_CPUS") or "1", os.cpu_count() or 1
    if not re.fullmatch(r"\d*\.?\d+", cpus) or not 0.01 <= float(cpus) <= most:
        raise UserError(f"HOST_CPUS={cpus}: give a number of CPUs from 0.01 to {most}")
    memory = os.environ.get("HOST_MEMORY") or "1g"
    megabytes = (
        memory.removesuffix("m") if memory.endswith("m") else f"{memory.removesuffix('g')}000"
    )
    # The host's own Docker engine needs that much.
    if not re.fullmatch(r"\d+[mg]", memory) or int(megabytes) < 256:
        raise UserError(f"HOST_MEMORY={memory}: give 256m or more, such as 512m or 1g")
    seconds = os.environ.get("TIMESERVICE_INSTALL_SECONDS") or "0"
    if not re.fullmatch(r"\d{1,3}", seconds):
        raise UserError(f"TIMESERVICE_INSTALL_SECONDS={seconds}: give a number from 0 to 999")
