"""Send packets, and answer them. It runs inside containers too, so it needs Python alone.

python3 packets.py probe '[["tcp", "192.0.2.1", 80], ...]'    prints what came back of each, as JSON
python3 packets.py scan ADDRESS                               prints the open TCP ports, as JSON
python3 packets.py serve ADDRESS ...                          is the Internet, until it is killed
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread

PATIENCE = 5.0  # seconds
TCP, UDP = (53, 443, 8443), (53, 123, 8443)  # the ports on which the Internet responds
ADDRESS = "192.0.2.53"  # the address of every name in its DNS


def probe(kind: str, address: str, port: int) -> str:
    """Return answered, refused, nothing (not within PATIENCE), or no way (no route, no name)."""
    try:
        if kind == "name":
            found = socket.getaddrinfo(address, None, socket.AF_INET)
            return "answered" if found else "no way"
        with _socket(kind, address) as sending:
            sending.settimeout(PATIENCE)
            sending.connect((address, port))
            if kind != "tcp":
                sending.send({"icmp": _echo(), "ntp": b"\x23" + bytes(47)}.get(kind, _question()))
                sending.recv(512)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "nothing"
    except OSError:  # there is no route, or no such name
        return "no way"
    return "answered"


def _socket(kind: str, address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if kind == "icmp":
        return socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    return socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)


def _echo() -> bytes:
    """An ICMP echo request; its checksum is the complement of 8 << 8 and 1."""
    return struct.pack("!BBHHH", 8, 0, 0xFFFF - 0x0800 - 1, 0, 1)


def _question() -> bytes:
    """A DNS query for the address of outside.example."""
    name = b"\x07outside\x07example\x00"
    return struct.pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", 1, 1)


def scan(address: str) -> list[int]:
    """Return the TCP ports that accept a connection. A host must refuse the others."""
    found = []
    for port in range(1, 65536):
        with socket.socket() as sending:
            sending.settimeout(PATIENCE)
            status = sending.connect_ex((address, port))
        if status == 0:
            found.append(port)
    return found


def serve(addresses: list[str]) -> None:
    """Accept on each TCP port, and echo on each UDP port; port 53 answers as a DNS server."""
    for address in addresses:
        for port in TCP:
            listening = _bound("tcp", address, port)
            listening.listen()
            Thread(target=_accept, args=(listening,), daemon=True).start()
        for port in UDP:
            Thread(target=_reply, args=(_bound("udp", address, port),), daemon=True).start()
    print("ready", flush=True)
    time.sleep(3600)


def _bound(kind: str, address: str, port: int) -> socket.socket:
    made = _socket(kind, address)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + 120
    while True:
        try:
            made.bind((address, port))
        # An IPv6 address is looked for among neighbours first, for a second or two.
        except OSError as refused:
            if refused.errno != errno.EADDRNOTAVAIL or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return made


def _accept(listening: socket.socket) -> None:
    while True:
        listening.accept()[0].close()


def _reply(receiving: socket.socket) -> None:
    while True:
        asked, who = receiving.recvfrom(512)
        answer = asked
        if receiving.getsockname()[1] == 53:
            end = asked.index(b"\x00", 12) + 5  # of the question
            record = struct.pack("!HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(ADDRESS)
            answer = asked[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + asked[12:end] + record
        with suppress(OSError):
            receiving.sendto(answer, who)


def main(command: str, *arguments: str) -> None:
    if command == "serve":
        serve(list(arguments))
    elif command == "scan":
        print(json.dumps(scan(*arguments)))
    else:
        targets = json.loads(arguments[0])
        with ThreadPoolExecutor(len(targets)) as pool:
            print(json.dumps(list(pool.map(lambda target: probe(*target), targets))))


if __name__ == "__main__":
    os.environ["RES_OPTIONS"] = (
        "timeout:5 attempts:1"  # the time-out for names, see resolv.conf(5): ten seconds by default
    )
    main(*sys.argv[1:])
