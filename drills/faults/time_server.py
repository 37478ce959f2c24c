"""A false time server: it responds with a wrong time, with a kiss of death, or not at all.

Usage: time_server.py lie SECONDS | kiss | mute. It runs in the network of the true server's
container, and redirects requests to itself until SIGTERM.
"""

import signal
import socket
import struct
import subprocess
import sys
import time

PORT = 1123
# Seconds from 1900, where NTP begins, to 1970.
UNIX = 2_208_988_800
REDIRECT = f"PREROUTING -p udp --dport 123 -j REDIRECT --to-ports {PORT}".split()


def iptables(action: str) -> None:
    command = ["iptables", "-t", "nat", action, *REDIRECT]
    subprocess.run(command, check=True)


def stamp(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("!II", (whole + UNIX) & 0xFFFFFFFF, int((seconds - whole) * 2**32))


def respond(request: bytes, lie: float | None) -> bytes:
    """Return a response (RFC 5905, figure 8) that is `lie` seconds wrong.

    Without a lie, it is the kiss of death `DENY` (section 7.4).
    """
    now = time.time() + (lie or 0.0)
    origin = request[40:48]
    if lie is None:
        return struct.pack("!BBbbII4s", 0xE4, 0, 4, -20, 0, 0, b"DENY") + bytes(8) + origin * 3
    head = struct.pack("!BBbbII4s", 0x24, 2, 4, -20, 0, 66, bytes(4))
    return head + stamp(now) + origin + stamp(now) * 2


def main() -> None:
    lie = float(sys.argv[2]) if sys.argv[1] == "lie" else None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", PORT))  # noqa: S104 - in a container
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        iptables("-A")
        try:
            while True:
                request, client = server.recvfrom(1024)
                if len(request) >= 48 and sys.argv[1] != "mute":
                    server.sendto(respond(request, lie), client)
        finally:
            iptables("-D")


if __name__ == "__main__":
    main()
