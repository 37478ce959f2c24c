"""What the deployment costs in an hour and a month, computed from the templates: `python -m ops.cost` (make cost).

Nothing is asked of AWS or of a deployment: what would run comes from cfn/ and the configuration, what it costs from
ops/prices/. Exit codes: 0 told, 1 something whose cost is not known, 2 wrong usage, setting, or Region.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from deployment.errors import UserError
from deployment.settings import FEEDS
from deployment.template import read_all
from local.api import REGION
from local.program import settings
from local.project import configuration, parse_config
from ops.cost import bill, pricelist, text
from ops.cost.charge import UnknownCost
from ops.cost.charges import charges
from ops.cost.pricelist import HOURS, NoPrice, PriceList
from ops.cost.resources import Resources
from ops.cost.serving import number
from ops.cost.usage import Usage

CREDITS = (100, 200)  # dollars: what a new account gets, and what it can earn on top


def number_of(kind: type, least: float) -> Any:
    """A type for argparse."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not least <= value < 1e9:
            raise argparse.ArgumentTypeError(f"{text}: must be a number, {least:g} or more")
        return value

    parse.__name__ = "number"  # argparse's message names it
    return parse


def parser() -> argparse.ArgumentParser:
    usage = Usage()
    parser = argparse.ArgumentParser(
        prog="python -m ops.cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--region", default=REGION, help=f"one of {', '.join(pricelist.regions())} (%(default)s)"
    )
    parser.add_argument(
        "--config",
        default="",
        metavar="'KEY=VALUE ...'",
        help="settings of Pulumi.yaml, such as minHosts=4, with spaces between",
    )
    parser.add_argument(
        "--hosts", type=number_of(int, 0), help="what if so many run (default: minHosts)"
    )
    parser.add_argument(
        "--requests-per-second", type=number_of(float, 0), default=usage.requests_per_second,
        help="day and night (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--requests-per-connection", type=number_of(float, 1), default=usage.requests_per_connection,
        help="(default: %(default)s, a new connection for each, which costs the most)",
    )  # fmt: skip
    parser.add_argument(
        "--connection-seconds", type=number_of(float, 0), default=usage.connection_seconds,
        help="for which a connection is open (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--check-seconds", type=number_of(float, 0), default=usage.check_seconds,
        help="that the healthcheck's function runs for a check (default: %(default)s; 30 at most)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="the same figures, as JSON")
    return parser


def resources(overrides: dict[str, str]) -> Resources:
    """What would be deployed. Raises UserError for a setting that the program would refuse."""
    settings(overrides, "make cost")
    values = {key.split(":")[1]: value for key, value in configuration(overrides).items()}
    return Resources(read_all(), {name: values[key] for key, (_, name) in FEEDS.items()})


def result(all_of: Resources, usage: Usage, prices: PriceList) -> dict[str, Any]:
    """All figures, in US dollars. Raises UnknownCost and NoPrice."""
    found = bill.lines(charges(all_of, usage), prices, pricelist.allowances())
    month = bill.due(found)
    most = int(bill.group(all_of).properties["MaxSize"])
    grown = bill.lines(charges(all_of, usage._replace(hosts=most)), prices, pricelist.allowances())
    taken, minutes = bill.release(all_of)
    hosts = number(bill.group(all_of), usage)
    return {
        "region": prices.region,
        "region_name": prices.name,
        "hosts": hosts,
        "usage": usage._asdict(),
        "lines": [
            {
                "what": line.charge.what,
                "usage": line.charge.usage,
                "quantity": line.charge.quantity,
                "unit": line.price.unit,
                "price": line.price.first,
                "seen": line.price.seen,
                "free": line.free,
                "listed": line.listed,
                "due": line.due,
            }
            for line in found
        ],
        "hour": month / HOURS,
        "day": month / HOURS * 24,
        "month": month,
        "year": month * 12,
        "most_hosts": most,
        "hour_with_most_hosts": bill.due(grown) / HOURS,
        "days": {str(credits): bill.days(credits, month) for credits in CREDITS},
        "release": bill.due(bill.lines(taken, prices, [])),
        "release_minutes": minutes,
        "runaway_hour": bill.runaway(all_of, hosts, prices),
    }


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    usage = Usage(
        hosts=args.hosts,
        requests_per_second=args.requests_per_second,
        requests_per_connection=args.requests_per_connection,
        connection_seconds=args.connection_seconds,
        check_seconds=args.check_seconds,
    )
    try:
        prices = pricelist.read(args.region)
        found = result(resources(parse_config(args.config)), usage, prices)
    except UserError as refused:
        print(f"error: {refused}", file=sys.stderr)
        return 2
    except NoPrice as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 2
    except UnknownCost as unknown:
        print(f"error: {unknown}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2) if args.json else text.told(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
