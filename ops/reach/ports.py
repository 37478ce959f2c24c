"""The ports that security groups open to the Internet, as sets."""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

Ports = frozenset[tuple[str, int]]  # (protocol, number)
NONE: Ports = frozenset()
# ICMP and the protocols besides have no ports: the number -1 stands for all of the protocol.
EACH: dict[str, Ports] = {
    "tcp": frozenset(("tcp", number) for number in range(65536)),
    "udp": frozenset(("udp", number) for number in range(65536)),
    "icmp": frozenset({("icmp", -1)}),
    "other": frozenset({("other", -1)}),
}
ALL = NONE.union(*EACH.values())
NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmp", "icmpv6": "icmp"}
RANGES = {"IPv4": ("IpRanges", "CidrIp"), "IPv6": ("Ipv6Ranges", "CidrIpv6")}
# No packet from the Internet has a source in these: RFC 1918, 6598, 3927, 4193 and 4291.
PRIVATE_4 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")
PRIVATE_6 = ("fc00::/7", "fe80::/10")


def is_public(block: str) -> bool:
    """Return whether the block, or prefix list, may contain an address on the Internet."""
    if block.startswith("pl-"):
        return True
    network: Any = ip_network(block, strict=False)
    private = PRIVATE_4 if network.version == 4 else PRIVATE_6
    return not any(network.subnet_of(ip_network(other)) for other in private)


def get_ports(rule: dict[str, Any]) -> Ports:
    """Return the ports in a security group's rule."""
    number = rule["IpProtocol"]
    if number == "-1":
        return ALL
    protocol = NAMES.get(number, number)
    if protocol not in ("tcp", "udp"):
        return EACH.get(protocol, EACH["other"])
    return frozenset((protocol, port) for port in range(rule["FromPort"], rule["ToPort"] + 1))


def get_peers(rule: dict[str, Any], family: str) -> list[str]:
    """Return the blocks of the family, and the prefix lists, in a security group's rule."""
    ranges, key = RANGES[family]
    lists = [item["PrefixListId"] for item in rule.get("PrefixListIds", [])]
    return [item[key] for item in rule.get(ranges, [])] + lists


def get_public_ports(rules: Iterable[dict[str, Any]], family: str) -> Ports:
    """Return the ports that security groups' rules open to a source on the Internet."""
    public = [rule for rule in rules if any(map(is_public, get_peers(rule, family)))]
    return NONE.union(*map(get_ports, public))


def format_ports(ports: Ports) -> str:
    """Return "tcp 80, 8000-8999" or "udp all"; a protocol without ports is named alone."""
    words = []
    for protocol, each in EACH.items():
        spans: list[list[int]] = []
        for _, number in sorted(ports & each):
            if spans and number == spans[-1][1] + 1:
                spans[-1][1] = number
            else:
                spans.append([number, number])
        if each <= ports:
            words.append(f"{protocol} all" if len(each) > 1 else protocol)
        elif spans:
            texts = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
            words.append(f"{protocol} {', '.join(texts)}")
    return ", ".join(words)
