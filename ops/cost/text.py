"""The bill, for people."""

from __future__ import annotations

from typing import Any

HEAD = ("", "in a month", "", "at $", "$ an hour", "$ a month", "always free", "to pay")

FREE_TIER = """\
Honestly: there is no free tier for hosts and balancers any more. The one of 12 months ended for its last accounts in
July 2026. What an account has are credits ($100, and up to $100 that it can earn) and what is always free. In the free
plan nothing is charged to a card: after 6 months, or when the credits are gone, the account closes unless it is
upgraded. Take it down after the review (pulumi destroy). Not in these figures: taxes, more addresses of a balancer that
grows, and what else runs in the account, with which it shares what is always free."""

UNSEEN = "? common knowledge, found in no source at hand: look it up. All prices, sources, dates:"


def told(found: dict[str, Any]) -> str:
    return "\n\n".join([title(found), table(found), totals(found), extras(found), FREE_TIER])


def title(found: dict[str, Any]) -> str:
    usage = found["usage"]
    return (
        f"What the deployment costs in {found['region']}, {found['region_name']}: list prices, US dollars, 730 hours "
        f"a month.\n{usage['requests_per_second']:g} requests/s on average, "
        f"{usage['requests_per_connection']:g} on each connection; {usage['check_seconds']:g} s for each run of the "
        "healthcheck; --help: other values."
    )


def table(found: dict[str, Any]) -> str:
    """Columns straight, texts to the left and numbers to the right."""
    dearest_first = sorted(found["lines"], key=lambda line: (-line["due"], -line["listed"]))
    rows = [HEAD, *map(row, dearest_first)]
    listed = sum(line["listed"] for line in found["lines"])
    rows.append(
        (
            "together",
            "",
            "",
            "",
            f"{listed / 730:.4f}",
            f"{listed:.2f}",
            "",
            f"{found['month']:.2f}",
        )
    )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(map(aligned, row, widths, range(len(HEAD)))).rstrip() for row in rows]
    note = f"{UNSEEN} ops/prices/{found['region']}.json"
    return "\n".join([*lines, "", note])


def row(line: dict[str, Any]) -> tuple[str, ...]:
    free = min(1.0, line["free"] / line["quantity"]) if line["quantity"] else 0.0
    return (
        line["what"],
        quantity(line["quantity"]),
        line["unit"],
        decimal(line["price"]) + (" " if line["seen"] else "?"),
        f"{line['listed'] / 730:.4f}",
        f"{line['listed']:.2f}",
        {0.0: "-", 1.0: "all"}.get(free, f"{quantity(line['free'])} of it"),
        f"{line['due']:.2f}",
    )


def decimal(price: float) -> str:
    """At least two decimals, and no exponent."""
    whole, fraction = f"{price:.10f}".rstrip("0").split(".")
    return f"{whole}.{fraction.ljust(2, '0')}"


def aligned(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column in (0, 2) else cell.rjust(width)


def quantity(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:.3g}"


def totals(found: dict[str, Any]) -> str:
    first, second = found["days"].items()
    return (
        f"Without credits: ${found['hour']:.4f} an hour, ${found['day']:.2f} a day, ${found['month']:.2f} a month, "
        f"${found['year']:.0f} a year.\n"
        f"${first[0]} of credits last {whole(first[1])} days, ${second[0]} last {whole(second[1])} days."
    )


def whole(days: float) -> str:
    return f"{int(days):,}" if days < 1e6 else "endless"


def extras(found: dict[str, Any]) -> str:
    """What comes on top at times."""
    said: list[str] = []
    if found["most_hosts"] > found["hosts"]:
        said.append(
            f"With all {found['most_hosts']} hosts that there may be: ${found['hour_with_most_hosts']:.4f} an hour."
        )
    said.append(
        f"A release costs at most ${found['release']:.4f} on top: its new hosts, beside the old ones for "
        f"{found['release_minutes']:g} minutes at most."
    )
    if found["runaway_hour"]:
        said.append(
            f"cpuCredits is unlimited: if all hosts ran away, up to ${found['runaway_hour']:.2f} an hour on top."
        )
    said.append("Roles, users, VPC, subnets, S3 endpoint, wait condition, a budget: nothing.")
    return "\n".join(said)
