"""The deployment, as Mermaid's flowchart."""

from __future__ import annotations

from deployment.template import PARTS
from ops.diagram.wiring import (
    Node,
    Standing,
    carried,
    nodes,
    paths,
    placed,
    referred,
    rules,
    ways_out,
)

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


def text() -> str:
    lines = ["flowchart TB", "  internet((Internet))"]
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


def _network(standing: Standing) -> list[str]:
    (vpc,) = nodes("EC2::VPC")
    block = vpc.properties["CidrBlock"]["Fn::Sub"]
    block = block.replace("${SecondOctet}", vpc.default("SecondOctet"))
    lines = [f'  subgraph vpc["{vpc.part} {block}"]']
    for number, (node, (subnets, _)) in enumerate(standing.items()):
        ways = ways_out(subnets[0])
        # Titles are one short line; the last letter of a subnet's name is its zone's.
        names = f"{subnets[0].name[:-1]} {', '.join(one.name[-1] for one in subnets)}"
        lines += [
            f'    subgraph subnets{number}["{names}"]',
            f"      {_box(node)}",
            f'      ways{number}>"routes: {"; ".join(ways)}"]',
            "    end",
        ]
    return [*lines, *(f"    {_box(one)}" for one in nodes("EC2::VPCEndpoint")), "  end"]


def _box(node: Node) -> str:
    label = node.name
    if node.type == "AutoScaling::AutoScalingGroup":
        least = node.default("MinHosts")
        label = f"{node.name}<br>{least} hosts, Docker"
    if node.type in ("ElasticLoadBalancingV2::LoadBalancer", "AutoScaling::AutoScalingGroup"):
        label += f"<br><i>{node.part}</i>"
    return _id(node) + SHAPES[node.type].format(f'"{label}"')


def _arrow(start: str, label: str, end: str) -> str:
    return f'  {start} -- "{label}" --> {end}'


def _arrows(standing: Standing) -> list[str]:
    lines = []
    for node, (_, groups) in standing.items():
        for rule in (rule for group in groups for rule in rules(group, "Ingress")):
            peers = list(referred(groups[0].part, rule.peer)) if isinstance(rule.peer, dict) else []
            for other, (_, theirs) in standing.items():
                if set(peers) & set(theirs):
                    served = ", ".join(paths())
                    label = f"{rule.protocol} {rule.ports}: {served}; /health for checks"
                    lines.append(_arrow(_id(other), label, _id(node)))
            if not peers:
                label = f"{rule.protocol} {rule.ports} from {rule.peer}"
                lines.append(_arrow("internet", label, _id(node)))
        for rule in (rule for group in groups for rule in rules(group, "Egress")):
            if "Prefix" in str(rule.peer):
                (endpoint,) = nodes("EC2::VPCEndpoint")
                lines.append(_arrow(_id(node), f"{rule.protocol} {rule.ports}", _id(endpoint)))
    lines += [_arrow(_id(one), label, _id(bucket)) for one, label, bucket in carried()]
    return lines + _watch()


def _id(node: Node) -> str:
    return f"{node.part}_{node.name}"


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
