"""A client whose last packet of each handshake gets lost: the server waits for it. Usage: half_open.py HOST COUNT."""

from __future__ import annotations

import socket
import subprocess
import sys
import time


def main() -> None:
    lost = ["OUTPUT", "-p", "tcp", "--dport", "80", "--tcp-flags", "SYN,ACK", "ACK", "-j", "DROP"]
    subprocess.run(["iptables", "-A", *lost], check=True)
    kept = [
        socket.create_connection((sys.argv[1], 80), timeout=10) for _ in range(int(sys.argv[2]))
    ]
    print(f"{len(kept)} connections are half open", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main()
