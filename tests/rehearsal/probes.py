"""Probes of what a program in the service's container finds. It has nothing but Python to run."""

from __future__ import annotations

from typing import NamedTuple

PYTHON = "/usr/bin/python3.13"
SHM = "/dev/shm"  # noqa: S108 - the one place that can be written


class Probe(NamedTuple):
    question: str
    code: str
    confined: str  # what it prints in the service's container
    # What is in its output in a container without these options. It must differ from `confined`.
    loose: str


WALK = """
import os, socket, stat
def everything():
    for folder, _, files in os.walk("/"):
        if not folder.startswith(("/proc", "/sys")):
            yield from (os.path.join(folder, name) for name in files)
"""

STATUS = """
for line in open("/proc/{who}/status"):
    name, value = line.split(":")
    if name in {names}:
        print(name, *value.split())
"""
ATTEMPT = """
try:
    print("done", {what})
except OSError as refused:
    print(refused.strerror)
"""
UNSHARE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x10000000), ctypes.get_errno()) # a user namespace: the way to every capability
"""
WRITABLE = """
import os
for folder, _, _ in os.walk("/"):
    if not folder.startswith(("/proc", "/sys")):
        try:
            os.close(os.open(folder + "/probe", os.O_CREAT | os.O_WRONLY))
            os.unlink(folder + "/probe")
            print(folder)
        except OSError:
            pass
"""
KERNEL = """
for name in ("kernel/core_pattern", "kernel/hostname", "net/ipv4/ip_forward"):
    name = "/proc/sys/" + name
    try:
        open(name, "r+").close()
        print(name)
    except OSError:
        pass
"""
RUN = """
import os
open("/dev/shm/probe", "w").write("#!/usr/bin/python3.13\\nprint('it runs')")
os.chmod("/dev/shm/probe", 0o755)
try:
    os.execv("/dev/shm/probe", ["probe"])
except OSError as refused:
    print(refused.strerror)
finally:
    os.unlink("/dev/shm/probe")
"""
FILL = """
import os
written = 0
try:
    with open("/dev/shm/probe", "wb", 0) as file:
        while written < 2**24:
            written += file.write(bytes(4096))
except OSError as refused:
    print(refused.strerror, "at", written)
finally:
    os.unlink("/dev/shm/probe")
"""
SETUID = WALK + "print(*(path for path in everything() if os.lstat(path).st_mode & 0o6000))"
SOCKETS = WALK + "print(*(path for path in everything() if stat.S_ISSOCK(os.lstat(path).st_mode)))"
# All files that can be executed, except Python's modules.
PROGRAMS = (
    WALK
    + """
programs = [path for path in everything() if os.access(path, os.X_OK) and os.path.isfile(path)]
names = {os.path.basename(path) for path in programs if not path.endswith(".py")}
print(*sorted(name for name in names if ".so" not in name and not name.startswith(".")))
"""
)
# The service asks the time server on a connected UDP socket, which nobody else reaches.
LISTENING = """
for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
    for line in open("/proc/net/" + kind).readlines()[1:]:
        _, local, _, state, *_ = line.split()
        if state == "0A" if kind.startswith("tcp") else state != "01":
            print(kind, int(local.split(":")[1], 16))
"""
ENVIRONMENT = """
variables = open("/proc/1/environ").read().split("\\0")
print(*sorted(variable.split("=")[0] for variable in variables if variable))
"""

PROBES = [
    Probe(
        "user and group",
        "import os; print(os.getresuid(), os.getresgid(), os.getgroups())",
        "(65532, 65532, 65532) (65532, 65532, 65532) [65532]",
        "(0, 0, 0) (0, 0, 0)",
    ),
    *(
        Probe(
            f"{who}'s capabilities",
            STATUS.format(who=who, names=("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")),
            "\n".join(f"Cap{kind} {'0' * 16}" for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")),
            "",
        )
        for who in ("1", "self")
    ),
    *(
        Probe(
            f"{who}'s privileges and system calls",
            STATUS.format(who=who, names=("NoNewPrivs", "Seccomp")),
            "NoNewPrivs 1\nSeccomp 2",
            "NoNewPrivs 0\nSeccomp 0",
        )
        for who in ("1", "self")
    ),
    Probe(
        "becoming root",
        ATTEMPT.format(what="__import__('os').setuid(0)"),
        "Operation not permitted",
        "done",
    ),
    Probe("a namespace of one's own", UNSHARE, "-1 1", "0 0"),
    Probe("places to write", WRITABLE, SHM, "\n/app\n"),
    Probe("the kernel's settings", KERNEL, "", "/proc/sys/kernel/core_pattern"),
    Probe("running what was written", RUN, "Permission denied", "it runs"),
    Probe("room to write", FILL, "No space left on device at 65536", ""),
    Probe("files that make root of others", SETUID, "", f"{SHM}/setuid"),
    Probe("the engine's socket", SOCKETS, "", "/run/docker.sock"),
    Probe("programs", PROGRAMS, "pdb3.13 pydoc3.13 pygettext3.13 python3.13", "program"),
    Probe("what listens", LISTENING, "tcp 8080\ntcp 8080", "tcp 7"),
    Probe(
        "names of the environment",
        ENVIRONMENT,
        "HOME HOSTNAME PATH PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONTZPATH PYTHONUNBUFFERED "
        "TIMESERVICE_INSTANCE TIMESERVICE_TIME_SERVER TIMESERVICE_VERSION TIMESERVICE_ZONE",
        "AWS_SECRET_ACCESS_KEY",
    ),
]

# The program of the loose container, which makes all that the probes look for.
LOOSE = """
import os, socket, time
listener = socket.create_server(("0.0.0.0", 7))
for name, mode in {"setuid": 0o4755, "program": 0o755}.items():
    open("/dev/shm/" + name, "w").close()
    os.chmod("/dev/shm/" + name, mode)
time.sleep(900)
"""
LOOSE_OPTIONS = (
    "--user=0",
    "--cap-add=ALL",
    "--security-opt=seccomp=unconfined",
    "--security-opt=systempaths=unconfined",
    "--tmpfs=/dev/shm:exec,suid",
    "--volume=/var/run/docker.sock:/run/docker.sock",
    "--env=AWS_SECRET_ACCESS_KEY=none",
)

# Print the places (host, port) that accept a connection, and the names that have an address. All
# are tried at once, because silent ones take time.
REACHED = """
import os, socket
from concurrent.futures import ThreadPoolExecutor
os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"
def reaches(place):
    try:
        if isinstance(place, str):
            socket.getaddrinfo(place, 80)
        else:
            socket.create_connection(place, timeout=2).close()
        return True
    except OSError:
        return False
places = {places!r}
with ThreadPoolExecutor(len(places)) as pool:
    print(*(place for place, yes in zip(places, pool.map(reaches, places)) if yes), sep="\\n")
"""

# --- attacks; each ends by itself, and what it has started ends with it

BOMB = """
import os, signal, time
forked, refused, end = 0, "nothing", time.monotonic() + 3
while forked < 150 and (refused == "nothing" or time.monotonic() < end):
    try:
        if os.fork() == 0:
            signal.alarm(4)
            signal.pause()
        forked += 1
    except OSError as trouble: # and again, so that whoever else needs a process gets none
        refused = trouble.strerror
        time.sleep(0.01)
print(forked, refused)
"""
HOG = """
held = []
for _ in range(40):
    held.append(bytearray(b"x" * 10_000_000))
print(len(held) * 10, "MB")
"""
# Each hog is smaller than the service's processes, so that the kernel ends these.
SMALL_HOGS = """
import os, signal, time
for _ in range(25):
    if os.fork() == 0:
        signal.alarm(6)
        held = bytearray(b"x" * 12_000_000)
        while True:
            time.sleep(1)
time.sleep(5)
"""
