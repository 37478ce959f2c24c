"""List prices and quotas of AWS (us-east-1, US dollars, November 2026), each with where it is from.

seen: read in the source named. known: common knowledge that no page at hand confirmed; look it up before money rests on
it.
"""

from __future__ import annotations

from typing import NamedTuple

HOURS = 730  # in a month, as AWS reckons


class HostType(NamedTuple):
    """An instance type: how many CPUs it may use for ever, and dollars an hour."""

    name: str
    cpus: float
    price: float


# t3: known (t3.medium, four times t3.micro, seen: hacecuentas.com), and its baseline, 10 or 20 % of each of 2 vCPUs.
# c7i: known. x86_64, as the image is; a c7g (Graviton) is a fifth cheaper and wants another image.
HOST_TYPES = [
    HostType("t3.micro", 0.2, 0.0104),
    HostType("t3.small", 0.4, 0.0208),
    HostType("c7i.large", 2, 0.08925),
    HostType("c7i.2xlarge", 8, 0.357),
    HostType("c7i.4xlarge", 16, 0.714),
]
VOLUME = 8 * 0.08 / HOURS  # an hour of 8 GB of gp3; seen: cal53.calculator.city
ADDRESS = 0.005  # an hour of a public IPv4 address; seen: repost.aws


class Balancer(NamedTuple):
    """What an hour of a load balancer and of one of its capacity units costs, and what a unit carries."""

    hour: float
    unit: float
    new: float  # connections a second
    active: float  # connections open
    gigabytes: float  # an hour, both ways


# Seen: handbook.vantage.sh/aws/services/elb-pricing, aws.darcy-it.com, infracost's lb_test.golden. The NLB's 800 and
# 100,000: known.
ALB = Balancer(0.0225, 0.008, new=25, active=3_000, gigabytes=1)
NLB = Balancer(0.0225, 0.006, new=800, active=100_000, gigabytes=1)
# Seen: docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
MOST_UNITS = 15_000  # that may be reserved for one ALB
MOST_TARGETS = 1_000  # of one ALB

# Up to so many GB a month, at so much each. Seen: blogs.vmware.com/cloudhealth/aws-data-transfer-pricing,
# leanopstech.com/blog/aws-data-transfer-pricing-2026 (with 100 GB free); a terabyte is taken to be 1,024 GB.
TRANSFER = [(100, 0.0), (10_240, 0.09), (51_200, 0.085), (153_600, 0.07), (float("inf"), 0.05)]
# CloudFront: US and Europe. Transfer seen: aws.amazon.com/cloudfront/pricing; requests (HTTP) seen: kindatechnical.com;
# functions seen: cur.vantage.sh/aws/amazoncloudfront.
EDGE_TRANSFER = [
    (1_024, 0.0),
    (10_240, 0.085),
    (51_200, 0.08),
    (153_600, 0.06),
    (512_000, 0.04),
    (1_048_576, 0.03),
    (5_242_880, 0.025),
    (float("inf"), 0.02),
]
EDGE_REQUEST = 0.0075 / 10_000
EDGE_FUNCTION = 0.10 / 1_000_000
# Seen: aws.amazon.com/global-accelerator/pricing (North America and Europe)
ACCELERATOR_HOUR = 0.025
ACCELERATOR_GIGABYTE = 0.015

LINK_LOCAL = (
    1_024  # packets a second and network interface to Time Sync, DNS and metadata together; known
)
PORTS = 65_535 - 1_023  # from which one node of a balancer connects to one port of one host; known
TIME_WAIT = 60  # seconds for which a port that was used is not used again; known (Linux)
