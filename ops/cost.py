"""Compute what the deployment costs at list prices: `python -m ops.cost` (make cost).

The templates in cfn/ and the configuration give the quantities. ops/prices.json gives what is
billed, in the order of the table, with a source and a date for each price. Exit codes: 0 printed,
1 a resource type whose cost is not known, 2 a wrong argument, setting or Region.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from deployment import ROOT
from deployment.errors import UserError
from deployment.settings import Settings
from deployment.template import read_all, read_template
from healthcheck.handler import METRICS
from local import program
from local.api import REGION
from local.project import parse_config

PRICES = json.loads((ROOT / "ops/prices.json").read_text())
ROWS = {row["name"]: row for row in PRICES["rows"]}
# Hours in a month, as in AWS's own estimates.
HOURS = 730

# What the templates cannot state. The load is one request per second, each on a connection of its
# own; 25 new connections per second take a whole capacity unit of the balancer.
CAPACITY_UNITS = 1 / 25
# Bytes with headers, measured: `curl -si URL/now | wc -c`.
RESPONSE = 685
# GB: build/image-*.tar.gz and build/healthcheck.zip, rounded up.
ARCHIVES = 0.022
# Bytes for each check: its record with two hosts, and Lambda's own three lines.
LOG_BYTES = 2_000
# Decided; a check in the local cloud takes a third of that.
CHECK_SECONDS = 1.0
# Views of the dashboard in a month, each refresh included.
VIEWS = 300
# Minutes that the dashboard's log queries go back.
DASHBOARD_MINUTES = 180
# Notifications in a month; there should be none.
NOTIFICATIONS = 100


class UnknownCost(UserError):
    """Refuse a resource type that might cost something."""


class Line(NamedTuple):
    """A line of the bill. quantity, free: units in a month. price: US dollars for a unit."""

    name: str
    unit: str
    quantity: float
    free: float
    price: float

    @property
    def due(self) -> float:
        return (self.quantity - self.free) * self.price


def count_types(settings: Settings) -> Counter[str]:
    """Count the resources that the templates make with these settings, by type.

    A condition that is not known here counts as true, so that nothing is missing from the bill.
    """
    scales = settings.max_hosts > settings.min_hosts
    conditions = {"Scales": scales, "HasAlertEmail": bool(settings.alert_email)}
    return Counter(
        resource["Type"]
        for template in read_all().values()
        for resource in template.resources.values()
        if conditions.get(resource.get("Condition", ""), True)
    )


def get_quantities(settings: Settings, hosts: int) -> dict[str, float]:
    """Return the units that one resource of each row uses in a month, by the row's name."""
    launch_template = read_template("hosts").resources["LaunchTemplate"]["Properties"]
    disk = launch_template["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"]
    zones = len(read_template("network").outputs["PublicSubnets"]["Value"]["Fn::Join"][1])
    healthcheck = read_template("healthcheck").resources
    memory = healthcheck["Function"]["Properties"]["MemorySize"] / 1024
    days = healthcheck["LogGroup"]["Properties"]["RetentionInDays"]
    queries = str(healthcheck["Dashboard"]["Properties"]["DashboardBody"]).count('"type": "log"')
    checks = HOURS * 60 / settings.check_every
    log = checks * LOG_BYTES / 1e9
    return {
        f"hosts, {settings.instance_type}": hosts * HOURS,
        "hosts: volumes": hosts * disk,
        "load balancer": HOURS,
        "load balancer: public IPv4 addresses": zones * HOURS,
        "load balancer: capacity units": CAPACITY_UNITS * HOURS,
        "load balancer: data to the Internet": RESPONSE * 3_600 * HOURS / 1e9,
        "healthcheck: runs": checks,
        "healthcheck: memory x time": checks * CHECK_SECONDS * memory,
        "healthcheck: metrics": len(METRICS),
        "healthcheck: writes of metrics": checks,
        "healthcheck: log, written": log,
        "healthcheck: log, kept": log * days / (HOURS / 24),
        "dashboard": 1,
        "dashboard: log queries": VIEWS * queries * DASHBOARD_MINUTES * log / (HOURS * 60),
        "alarms": 1,
        "alarms of the scaling policy": 2,
        "notifications": NOTIFICATIONS,
        "notifications: mails": NOTIFICATIONS,
        "archives": ARCHIVES,
    }


def list_lines(settings: Settings, region: str, hosts: int) -> list[Line]:
    """Return the bill of a month, in the order of the price table. Raises UnknownCost."""
    counts = count_types(settings)
    unknown = counts.keys() - {row["type"] for row in ROWS.values()} - set(PRICES["free types"])
    if unknown:
        raise UnknownCost(
            f"the cost of {', '.join(sorted(unknown))} is not known: add it to ops/prices.json, "
            "as a free type or with prices, and its quantity to ops/cost.py"
        )
    quantities = get_quantities(settings, hosts)
    allowances = {name: quantity for name, (quantity, _) in PRICES["always free"].items()}
    lines = []
    for name, row in ROWS.items():
        quantity = counts[row["type"]] * quantities.get(name, 0)
        free = 0.0
        if "free" in row:
            free = min(quantity, allowances[row["free"]])
            allowances[row["free"]] -= free
        lines.append(Line(name, row["unit"], quantity, free, row[region][0]))
    return [line for line in lines if line.quantity]


def get_month(lines: Sequence[Line]) -> float:
    """Return the US dollars of a month."""
    return sum(line.due for line in lines)


def format_bill(settings: Settings, region: str, hosts: int) -> str:
    """Return the table, the totals, and what comes on top at times."""
    lines = list_lines(settings, region, hosts)
    month = get_month(lines)
    hour = month / HOURS
    text = [
        f"{hosts} hosts in {region}: US dollars at list price, {HOURS} hours a month, 1 request/s",
        f"\n{'':<38}{'in a month':>11} {'':<11}{'at $':>13}  {'always free':>11} {'to pay':>8}",
    ]
    for line in lines:
        price = f"{line.price:.10f}".rstrip("0").rstrip(".")
        text.append(
            f"{line.name:<38}{line.quantity:>11,.7g} {line.unit:<11}{price:>13}  "
            f"{line.free:>11,.7g} {line.due:>8.2f}"
        )
    text += [
        f"{'total':<38}{month:>60.2f}\n",
        f"${hour:.4f} an hour, ${hour * 24:.2f} a day, ${month:.2f} a month, "
        f"${month * 12:.0f} a year",
        f"$100 of credits last {100 / hour // 24:.0f} days, $200 last {200 / hour // 24:.0f} days",
    ]
    if settings.max_hosts > hosts:
        most = get_month(list_lines(settings, region, settings.max_hosts)) / HOURS
        text.append(f"With the {settings.max_hosts} hosts of maxHosts: ${most:.4f} an hour")
    return "\n".join([*text, "", *PRICES["notes"]])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ops.cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    region_help = f"Region whose prices apply (default: {REGION})"
    parser.add_argument("--region", choices=PRICES["regions"], default=REGION, help=region_help)
    parser.add_argument("--config", default="", help="settings, as in 'minHosts=3 maxHosts=4'")
    parser.add_argument("--hosts", type=int, help="number of hosts (default: minHosts)")
    args = parser.parse_args(argv)
    try:
        settings = program.load_settings(parse_config(args.config), "make cost")
        least = settings.min_hosts
        hosts = least if args.hosts is None else args.hosts
        if hosts < least:
            raise UserError(f"HOSTS={hosts} is too few: give {least} (minHosts) or more")
        print(format_bill(settings, args.region, hosts))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, UnknownCost) else 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
