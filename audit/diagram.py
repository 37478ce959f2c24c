"""The deployment as a picture (Mermaid, which GitHub draws), read from the templates: stacks, subnets, allowed traffic.

`make diagram` renews the one in docs/deployment.md; a test fails when that is out of date.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from deployment.template import PARTS, read

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/deployment.md"
BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)
# What is drawn; the rest is glue, or belongs to one of these.
SHAPES = {
    "S3::Bucket": "[({})]",
    "EC2::VPCEndpoint": "[/{}/]",
    "ElasticLoadBalancingV2::LoadBalancer": "[{}]",
    "AutoScaling::AutoScalingGroup": "[{}]",
    "Lambda::Function": "[{}]",
    "Events::Rule": "([{}])",
    "CloudWatch::Alarm": "{{{{{}}}}}",
    "SNS::Topic": "[{}]",
}


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


def placed() -> dict[Node, tuple[list[Node], list[Node]]]:
    """What stands in subnets: its subnets and its security groups."""
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


def text() -> str:
    """The picture, as Mermaid's flowchart."""
    lines = ["flowchart LR", "  internet((Internet))"]
    standing = placed()
    lines += _network(standing)
    for part in PARTS:
        inside = [one for one in nodes(*SHAPES) if one.part == part and one not in standing]
        inside = [one for one in inside if one.type != "EC2::VPCEndpoint"]
        if inside:
            lines += [
                f'  subgraph {part}["{part}"]',
                *(f"    {_box(one)}" for one in inside),
                "  end",
            ]
    return "\n".join([*lines, *_arrows(standing)]) + "\n"


def _network(standing: dict[Node, tuple[list[Node], list[Node]]]) -> list[str]:
    (vpc,) = nodes("EC2::VPC")
    block = vpc.properties["CidrBlock"]["Fn::Sub"]
    block = block.replace("${SecondOctet}", read(vpc.part).default("SecondOctet"))
    lines = [f'  subgraph vpc["{vpc.part}: VPC {block}"]']
    for number, (node, (subnets, _)) in enumerate(standing.items()):
        ways = ways_out(subnets[0])
        names = ", ".join(one.name for one in subnets)
        lines.append(f'    subgraph subnets{number}["{names}<br>routes: {"; ".join(ways)}"]')
        lines += [f"      {_box(node)}", "    end"]
    return [*lines, *(f"    {_box(one)}" for one in nodes("EC2::VPCEndpoint")), "  end"]


def _box(node: Node) -> str:
    label = node.name
    if node.type == "AutoScaling::AutoScalingGroup":
        least = read(node.part).default("MinHosts")
        label = f"{node.name}<br>{least} hosts, Docker"
    if node.type in ("ElasticLoadBalancingV2::LoadBalancer", "AutoScaling::AutoScalingGroup"):
        label += f"<br><i>{node.part}</i>"
    return _id(node) + SHAPES[node.type].format(f'"{label}"')


def _arrow(start: str, label: str, end: str) -> str:
    return f'  {start} -- "{label}" --> {end}'


def _arrows(standing: dict[Node, tuple[list[Node], list[Node]]]) -> list[str]:
    lines = []
    for node, (_, groups) in standing.items():
        for rule in (rule for group in groups for rule in rules(group, "Ingress")):
            peers = list(referred(groups[0].part, rule.peer)) if isinstance(rule.peer, dict) else []
            for other, (_, theirs) in standing.items():
                if set(peers) & set(theirs):
                    paths = ", ".join(_paths())
                    label = f"{rule.protocol} {rule.ports}: {paths}; /health for checks"
                    lines.append(_arrow(_id(other), label, _id(node)))
            if not peers:
                label = f"{rule.protocol} {rule.ports} from {rule.peer}"
                lines.append(_arrow("internet", label, _id(node)))
        for rule in (rule for group in groups for rule in rules(group, "Egress")):
            if "Prefix" in str(rule.peer):
                (endpoint,) = nodes("EC2::VPCEndpoint")
                lines.append(_arrow(_id(node), f"{rule.protocol} {rule.ports}", _id(endpoint)))
    lines += [_arrow(_id(one), label, _id(bucket)) for one, label, bucket in _endpoints()]
    return lines + _watch()


def _id(node: Node) -> str:
    return f"{node.part}_{node.name}"


def _paths() -> list[str]:
    return [
        path
        for rule in nodes("ElasticLoadBalancingV2::ListenerRule")
        for condition in rule.properties["Conditions"]
        for path in condition["PathPatternConfig"]["Values"]
    ]


def _endpoints() -> Iterator[tuple[Node, str, Node]]:
    """Each bucket of ours that an endpoint's policy names."""
    for endpoint in nodes("EC2::VPCEndpoint"):
        for statement in endpoint.properties["PolicyDocument"]["Statement"]:
            for bucket in referred(endpoint.part, statement["Resource"]):
                yield endpoint, statement["Action"], bucket


def _watch() -> list[str]:
    """Who asks, who is told."""
    lines = []
    for schedule in nodes("Events::Rule"):
        for function in referred(schedule.part, schedule.properties["Targets"]):
            lines.append(_arrow(_id(schedule), "runs", _id(function)))
            lines.append(_arrow(_id(function), "as anyone", "internet"))
    for alarm in nodes("CloudWatch::Alarm"):
        lines += [
            f"  {_id(alarm)} -.-> {_id(topic)}"
            for topic in referred(alarm.part, alarm.properties["AlarmActions"])
        ]
    return lines


def renewed(page: str) -> str:
    """The page with the picture as it is now."""
    return BLOCK.sub(lambda _: f"```mermaid\n{text()}```", page, count=1)


def main() -> None:
    argparse.ArgumentParser(prog="python -m audit.diagram", description=__doc__).parse_args()
    PAGE.write_text(renewed(PAGE.read_text()))


if __name__ == "__main__":
    main()
