"""What the sums of docs/capacity.md rest on: quotas, and list prices of us-east-1 from ops/prices/, with sources.

seen: read in the source named. known: common knowledge that no page at hand confirmed; look it up before money rests on
it.
"""

from __future__ import annotations

from typing import NamedTuple

from ops.cost import pricelist, usage
from ops.cost.pricelist import HOURS

LIST = pricelist.read("us-east-1")


def price(name: str) -> float:
    """US dollars for one."""
    return LIST.price(name).first


class HostType(NamedTuple):
    """An instance type: how many CPUs it may use for ever, and dollars an hour."""

    name: str
    cpus: float
    price: float


# Those that cfn/hosts.yaml allows, and larger ones. x86_64, as the image is; a c7g (Graviton) is a fifth cheaper and
# wants another image.
CPUS = usage.FOR_EVER | {"c7i.large": 2, "c7i.2xlarge": 8, "c7i.4xlarge": 16}
HOST_TYPES = [
    HostType(name, cpus, price(f"AmazonEC2/BoxUsage:{name}")) for name, cpus in CPUS.items()
]
VOLUME = 8 * price("AmazonEC2/EBS:VolumeUsage.gp3") / HOURS  # an hour of 8 GB
ADDRESS = price("AmazonVPC/PublicIPv4:InUseAddress")  # an hour


class Balancer(NamedTuple):
    """What an hour of a load balancer and of one of its capacity units costs, and what a unit carries."""

    hour: float
    unit: float
    carries: usage.Unit


ALB = Balancer(price("AWSELB/LoadBalancerUsage"), price("AWSELB/LCUUsage"), usage.ALB)
NLB = Balancer(
    price("AWSELB/LoadBalancerUsage:Network"), price("AWSELB/LCUUsage:Network"), usage.NLB
)
# Seen: docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
MOST_UNITS = 15_000  # that may be reserved for one ALB
MOST_TARGETS = 1_000  # of one ALB

# Up to so many GB a month, at so much each. AWS counts the tiers from behind what is free; a terabyte is 1,024 GB.
_OUT = "AWSDataTransfer/DataTransfer-Out-Bytes"
FREE_OUT = next(one.quantity for one in pricelist.allowances() if _OUT in one.usages)
TRANSFER = [(FREE_OUT, 0.0), *((end + FREE_OUT, each) for end, each in LIST.price(_OUT).tiers)]
# CloudFront, US and Europe, HTTP.
EDGE_TRANSFER = LIST.price("AmazonCloudFront/US-DataTransfer-Out-Bytes").tiers
EDGE_REQUEST = price("AmazonCloudFront/US-Requests-Tier1")
EDGE_FUNCTION = price("AmazonCloudFront/Executions-CloudFrontFunctions")
# North America and Europe.
ACCELERATOR_HOUR = price("AWSGlobalAccelerator/Accelerator")
ACCELERATOR_GIGABYTE = price("AWSGlobalAccelerator/DataTransfer-Out-Bytes")

LINK_LOCAL = (
    1_024  # packets a second and network interface to Time Sync, DNS and metadata together; known
)
PORTS = 65_535 - 1_023  # from which one node of a balancer connects to one port of one host; known
TIME_WAIT = 60  # seconds for which a port that was used is not used again; known (Linux)
