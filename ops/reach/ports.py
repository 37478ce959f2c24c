"""The ports that a security group's rule opens, and to whom."""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

Rule = dict[str, Any]  # as describe_security_groups returns it
EVERYTHING: Rule = {"IpProtocol": "-1"}
NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmp", "icmpv6": "icmp", "-1": "all"}
RANGES = {"IPv4": ("IpRanges", "CidrIp"), "IPv6": ("Ipv6Ranges", "CidrIpv6")}
# No packet from the Internet has a source in these: RFC 1918, 6598, 3927, 4193 and 4291.
PRIVATE = [
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10"),
]


def is_public(block: str) -> bool:
    """Return whether the block, or prefix list, may contain an address on the Internet."""
    if block.startswith("pl-"):
        return True
    network: Any = ip_network(block, strict=False)
    private = [other for other in map(ip_network, PRIVATE) if other.version == network.version]
    return not any(network.subnet_of(other) for other in private)


def get_protocol(rule: Rule) -> str:
    return NAMES.get(rule["IpProtocol"], str(rule["IpProtocol"]))


def format_ports(rule: Rule) -> str:
    """Return "tcp 80", "udp 1-90" or "all"; a protocol without ports is named alone."""
    protocol = get_protocol(rule)
    if protocol not in ("tcp", "udp"):
        return protocol
    first, last = rule["FromPort"], rule["ToPort"]
    return f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}"


def has_port(rule: Rule, protocol: str, number: int) -> bool:
    if get_protocol(rule) == "all":
        return True
    return get_protocol(rule) == protocol and rule["FromPort"] <= number <= rule["ToPort"]


def get_peers(rule: Rule, family: str) -> list[str]:
    """Return the blocks of the family, and the prefix lists, in a rule."""
    ranges, key = RANGES[family]
    lists = [item["PrefixListId"] for item in rule.get("PrefixListIds", [])]
    return [item[key] for item in rule.get(ranges, [])] + lists


def list_public_rules(rules: Iterable[Rule], family: str) -> list[Rule]:
    """Return the rules with a peer on the Internet."""
    return [rule for rule in rules if any(map(is_public, get_peers(rule, family)))]
