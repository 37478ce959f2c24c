"""How what the templates make hangs together: who refers to whom, stands where, may open connections to whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from deployment.template import PARTS, read


class Node(NamedTuple):
    """A resource of a template; its id in the picture is part_name."""

    part: str
    name: str

    @property
    def resource(self) -> dict[str, Any]:
        return read(self.part).resources[self.name]

    @property
    def type(self) -> str:
        return str(self.resource["Type"]).removeprefix("AWS::")

    @property
    def properties(self) -> dict[str, Any]:
        return dict(self.resource.get("Properties", {}))

    def default(self, parameter: str) -> str:
        """Of its template."""
        return read(self.part).default(parameter)


def nodes(*types: str) -> list[Node]:
    """All resources of these types, in the order in which they are deployed and stand in their templates."""
    every = [Node(part, name) for part in PARTS for name in read(part).resources]
    return [node for node in every if node.type in types]


def referred(part: str, value: Any) -> Iterator[Node]:
    """The resources that a value of a template refers to; through a parameter, to those of the stack that feeds it.

    A parameter has the name of the output that feeds it, as `__main__.py` wires them.
    """
    if isinstance(value, list):
        for one in value:
            yield from referred(part, one)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in ("Ref", "Fn::GetAtt"):
                yield from _named(part, str(inner).split(".")[0])
            elif key == "Fn::Sub" and isinstance(inner, str):
                for name in re.findall(r"\$\{(\w+)", inner):
                    yield from _named(part, name)
            else:
                yield from referred(part, inner)


def _named(part: str, name: str) -> Iterator[Node]:
    if name in read(part).resources:
        yield Node(part, name)
    elif name in read(part).parameters:
        for other in PARTS:
            # ArtifactsBucket is fed by the output Bucket of artifacts: the part's name may come first.
            output = name.removeprefix(other.capitalize())
            if other != part and output in read(other).outputs:
                yield from referred(other, read(other).outputs[output]["Value"])
                return


class Rule(NamedTuple):
    """A rule of a security group: who may open a connection to whom, or where its own may go."""

    protocol: str
    ports: str
    peer: Any


def rules(group: Node, direction: str) -> list[Rule]:
    """Direction: Ingress or Egress."""
    return [
        Rule(
            rule["IpProtocol"],
            "-".join(sorted({str(rule.get("FromPort", "any")), str(rule.get("ToPort", "any"))})),
            next(rule[key] for key in rule if key.startswith(("Cidr", "Source", "Destination"))),
        )
        for rule in group.properties.get(f"SecurityGroup{direction}", [])
    ]


# What stands in subnets: its subnets and its security groups.
Standing = dict[Node, tuple[list[Node], list[Node]]]


def placed() -> Standing:
    found = {}
    for node in nodes("ElasticLoadBalancingV2::LoadBalancer"):
        own = node.properties
        found[node] = _both(node.part, own["Subnets"], own["SecurityGroups"])
    for node in nodes("AutoScaling::AutoScalingGroup"):
        (template,) = referred(node.part, node.properties["LaunchTemplate"]["LaunchTemplateId"])
        (interface,) = template.properties["LaunchTemplateData"]["NetworkInterfaces"]
        found[node] = _both(node.part, node.properties["VPCZoneIdentifier"], interface["Groups"])
    return found


def _both(part: str, subnets: Any, groups: Any) -> tuple[list[Node], list[Node]]:
    return list(referred(part, subnets)), list(referred(part, groups))


def ways_out(subnet: Node) -> list[str]:
    """What the subnet's route table leads to, besides the VPC itself."""
    tables = [
        table
        for one in nodes("EC2::SubnetRouteTableAssociation")
        if subnet in referred(one.part, one.properties["SubnetId"])
        for table in referred(one.part, one.properties["RouteTableId"])
    ]
    found = []
    for route in nodes("EC2::Route"):
        if set(referred(route.part, route.properties["RouteTableId"])) & set(tables):
            own = route.properties
            target = next(own[key] for key in own if key.endswith("Id") and key != "RouteTableId")
            (gateway,) = referred(route.part, target)
            found.append(f"{own['DestinationCidrBlock']} by {gateway.name}")
    for endpoint in nodes("EC2::VPCEndpoint"):
        if set(referred(endpoint.part, endpoint.properties.get("RouteTableIds", []))) & set(tables):
            found.append(f"S3 by {endpoint.name}")
    return found


def paths() -> list[str]:
    """Those that the balancer forwards."""
    return [
        path
        for rule in nodes("ElasticLoadBalancingV2::ListenerRule")
        for condition in rule.properties["Conditions"]
        for path in condition["PathPatternConfig"]["Values"]
    ]


def carried() -> Iterator[tuple[Node, str, Node]]:
    """Each bucket of ours that an endpoint's policy names."""
    for endpoint in nodes("EC2::VPCEndpoint"):
        for statement in endpoint.properties["PolicyDocument"]["Statement"]:
            for bucket in referred(endpoint.part, statement["Resource"]):
                yield endpoint, statement["Action"], bucket
