"""Where packets are led from a subnet, and which network ACL they pass."""

from __future__ import annotations

from typing import Any

from ops.reach.state import Items, State


def table(state: State, subnet: str) -> dict[str, Any] | None:
    """The route table that holds for the subnet."""
    main = None
    for one in state.route_tables:
        for association in one["Associations"]:
            if association.get("SubnetId") == subnet:
                return one
            if association.get("Main"):
                main = one
    return main


def routes(table: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Destination and target of each route that is neither the VPC's own nor a gateway endpoint's."""
    found = []
    for route in table["Routes"] if table else []:
        if route.get("Origin") == "CreateRouteTable" and route.get("GatewayId") == "local":
            continue
        keys = {
            key: value
            for key, value in route.items()
            if key.endswith(("Id", "Arn")) and not key.startswith("Destination") and key != "InstanceOwnerId"
        }  # fmt: skip
        target = str(next(iter(keys.values()), "nowhere"))
        if not target.startswith("vpce-"):
            found.append((_destination(route), target))
    return found


def _destination(route: dict[str, Any]) -> str:
    """Its block or prefix list; ? if the API does not tell."""
    keys = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    return next((str(route[key]) for key in keys if route.get(key)), "?")


def gateway(state: State, subnet: str, family: str) -> str:
    """The route from the Internet to the subnet, in words; "" if there is none."""
    found = table(state, subnet)
    for destination, target in routes(found):
        here = destination.startswith("pl-") or (":" in destination) == (family == "IPv6")
        if here and target in state.internet_gateways and found:
            return f"{target}, {destination} in {found['RouteTableId']} of {subnet}"
    return ""


def acl(state: State, subnet: str) -> Items | None:
    """The entries of the network ACL that holds for the subnet; None if the API tells none."""
    default = None
    for one in state.acls:
        if any(each.get("SubnetId") == subnet for each in one["Associations"]):
            return list(one["Entries"])
        if one["IsDefault"]:
            default = one["Entries"]
    return default
