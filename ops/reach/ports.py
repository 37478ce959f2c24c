"""Which ports the rules of security groups and network ACLs open to the Internet: plain sets of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from itertools import pairwise
from typing import Any

Ports = frozenset[int]
NONE: Ports = frozenset()
FAMILIES = ("IPv4", "IPv6")
# All there are of each protocol. ICMP and the others have none: one number stands for all of it.
UNIVERSE: dict[str, Ports] = {
    "tcp": frozenset(range(65536)),
    "udp": frozenset(range(65536)),
    "icmp": frozenset({-1}),
    "other": frozenset({-1}),
}
NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmp", "icmpv6": "icmp"}

# Where no packet from the Internet comes from: RFC 1918, 6598, 3927, 4193 and 4291.
PRIVATE = [
    ip_network(block)
    for block in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10"),
    )
]


def public(block: str) -> bool:
    """Whether an address of the block may be one on the Internet."""
    network = ip_network(block, strict=False)
    return not any(
        network.version == private.version and network.subnet_of(private)  # type: ignore[arg-type]
        for private in PRIVATE
    )


def overlap(peer: str, block: str) -> bool:
    """Whether a block of a rule has addresses of the other block; nobody knows what a prefix list has."""
    if peer.startswith("pl-"):
        return False
    one, other = ip_network(peer, strict=False), ip_network(block)
    return one.version == other.version and one.overlaps(other)


def ports(rule: dict[str, Any], protocol: str) -> Ports:
    """The ports of that protocol that a rule of a security group, or an entry of an ACL, is about."""
    named = str(rule.get("IpProtocol") or rule.get("Protocol"))
    named = NAMES.get(named, named)
    if named != "-1" and (named if named in UNIVERSE else "other") != protocol:
        return NONE
    between = rule.get("PortRange", {})
    first, last = between.get("From", rule.get("FromPort")), between.get("To", rule.get("ToPort"))
    if named not in ("tcp", "udp") or first is None:
        return UNIVERSE[protocol]
    return frozenset(range(first, last + 1))


def peers(rule: dict[str, Any], family: str) -> list[str]:
    """The blocks and prefix lists that a rule of a security group lets through, of that family."""
    key, ranges = ("CidrIp", "IpRanges") if family == "IPv4" else ("CidrIpv6", "Ipv6Ranges")
    lists = [one["PrefixListId"] for one in rule.get("PrefixListIds", [])]
    return [one[key] for one in rule.get(ranges, [])] + lists


def let_in(rules: Iterable[dict[str, Any]], family: str, protocol: str) -> Ports:
    """What a security group's rules open to a source on the Internet. A prefix list may hold anything."""
    return NONE.union(
        *(
            ports(rule, protocol)
            for rule in rules
            if any(peer.startswith("pl-") or public(peer) for peer in peers(rule, family))
        )
    )


def admitted(entries: Iterable[dict[str, Any]] | None, family: str, protocol: str) -> Ports:
    """What a network ACL lets in from a source on the Internet: the first entry that fits decides. None: there is none.

    A denial counts only if it is for everyone. Answers are taken to find their way out.
    """
    if entries is None:
        return UNIVERSE[protocol]
    key = "CidrBlock" if family == "IPv4" else "Ipv6CidrBlock"
    admitted, left = NONE, UNIVERSE[protocol]
    for entry in sorted(entries, key=lambda entry: int(entry["RuleNumber"])):
        block = entry.get(key)
        if entry["Egress"] or not block:
            continue
        if entry["RuleAction"] == "allow" and public(block):
            admitted |= ports(entry, protocol) & left
        elif entry["RuleAction"] == "deny" and ip_network(block).prefixlen == 0:
            left -= ports(entry, protocol)
    return admitted


def told(protocol: str, found: Ports) -> str:
    """`tcp 80, 8000-8999`; a protocol without ports, or with all of them, is named alone."""
    if found == UNIVERSE[protocol]:
        return f"{protocol} all" if len(found) > 1 else protocol
    numbers = sorted(found)
    starts = [numbers[0], *(b for a, b in pairwise(numbers) if b - a > 1)]
    ends = [*(a for a, b in pairwise(numbers) if b - a > 1), numbers[-1]]
    ranges = (f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
    return f"{protocol} {', '.join(ranges)}"
