"""What the deployment costs: figures reckoned by hand, that more never costs less, and what the command says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthcheck.handler import METRICS
from ops.cost import pricelist
from ops.cost.__main__ import main, resources, result
from ops.cost.bill import lines
from ops.cost.charge import Charge
from ops.cost.pricelist import NoPrice, PriceList
from ops.cost.usage import ALB, NLB, Usage, capacity_units
from tests.support.templates import TEMPLATES

QUIET = Usage(requests_per_second=0)
US, EU = pricelist.read("us-east-1"), pricelist.read("eu-west-1")
ARCHIVES = 0.022 * 0.023 / 730  # what lies in S3, an hour
DEFAULT = resources({})


def cost(
    usage: Usage = QUIET, prices: PriceList = US, config: dict[str, str] | None = None
) -> dict[str, Any]:
    return result(resources(config) if config else DEFAULT, usage, prices)


def line(usage: str, found: dict[str, Any]) -> dict[str, Any]:
    (one,) = (one for one in found["lines"] if one["usage"] == usage)
    return dict(one)


@pytest.mark.parametrize(
    ("prices", "hosts", "by_hand", "rounded"),
    [
        # balancer, two addresses, hosts, their volumes of 8 GB
        (US, 2, 0.0225 + 2 * 0.005 + 2 * 0.0104 + 2 * 8 * 0.08 / 730, 0.0551),
        (EU, 2, 0.0252 + 2 * 0.005 + 2 * 0.0114 + 2 * 8 * 0.088 / 730, 0.0599),
        (US, 4, 0.0225 + 2 * 0.005 + 4 * 0.0104 + 4 * 8 * 0.08 / 730, 0.0776),
        (EU, 4, 0.0252 + 2 * 0.005 + 4 * 0.0114 + 4 * 8 * 0.088 / 730, 0.0847),
    ],
    ids=["us, 2", "eu, 2", "us, 4", "eu, 4"],
)
def test_an_hour_without_requests(
    prices: PriceList, hosts: int, by_hand: float, rounded: float
) -> None:
    found = cost(QUIET._replace(hosts=hosts), prices)
    assert found["hour"] == pytest.approx(by_hand + ARCHIVES)
    assert round(found["hour"], 4) == rounded


def test_what_follows_from_an_hour() -> None:
    found = cost()
    assert found["day"] == pytest.approx(found["hour"] * 24)
    assert found["month"] == pytest.approx(found["hour"] * 730)
    assert found["year"] == pytest.approx(found["hour"] * 8_760)
    assert found["month"] == pytest.approx(40.19, abs=0.005)
    # 100 / 0.0551 is 1,815 hours
    assert {key: int(days) for key, days in found["days"].items()} == {"100": 75, "200": 151}


@pytest.mark.parametrize(
    ("config", "usage", "expected"),
    [
        # name in the price list: how much of it in a month
        ({}, "AmazonEC2/BoxUsage:t3.micro", 2 * 730),
        ({"minHosts": "3", "maxHosts": "3"}, "AmazonEC2/BoxUsage:t3.micro", 3 * 730),
        ({"instanceType": "t3.small"}, "AmazonEC2/BoxUsage:t3.small", 2 * 730),
        ({}, "AmazonEC2/EBS:VolumeUsage.gp3", 2 * 8),
        ({}, "AWSELB/LoadBalancerUsage", 730),
        ({}, "AmazonVPC/PublicIPv4:InUseAddress", 2 * 730),
        ({}, "AmazonCloudWatch/CW:AlarmMonitorUsage", 5),
        ({"maxHosts": "3"}, "AmazonCloudWatch/CW:AlarmMonitorUsage", 5 + 2),  # the policy's own
        ({}, "AmazonCloudWatch/CW:MetricMonitorUsage", len(METRICS)),
        ({}, "AmazonCloudWatch/DashboardsUsageHour", 1),
        # 300 looks, four queries each, of three hours of checks
        ({}, "AmazonCloudWatch/DataScanned-Bytes", 300 * 4 * 180 * 2_000 / 1e9),
        ({}, "AWSLambda/Request", 730 * 60),
        ({"checkEvery": "15"}, "AWSLambda/Request", 730 * 4),
        ({}, "AmazonCloudWatch/CW:Requests", 730 * 60),
        ({}, "AWSLambda/Lambda-GB-Second", 730 * 60 * 0.25),
        ({}, "AmazonCloudWatch/DataProcessing-Bytes", 730 * 60 * 2_000 / 1e9),
        ({}, "AmazonCloudWatch/TimedStorage-ByteHrs", 730 * 60 * 2_000 / 1e9 * 14 * 24 / 730),
        ({"alertEmail": "ops@example.org"}, "AmazonSNS/DeliveryAttempts-SMTP", 100),
    ],
    ids=str,
)
def test_the_templates_and_settings_say_how_much_of_everything(
    config: dict[str, str], usage: str, expected: float
) -> None:
    assert line(usage, cost(config=config))["quantity"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("config", "usage", "free", "due"),
    [
        ({}, "AmazonEC2/BoxUsage:t3.micro", 0, 2 * 730 * 0.0104),
        ({}, "AmazonCloudWatch/CW:AlarmMonitorUsage", 5, 0),
        ({}, "AmazonCloudWatch/DashboardsUsageHour", 1, 0),
        # 43,800 checks of 60 s and 256 MB are 657,000 GB-s, of which 400,000 are free
        ({}, "AWSLambda/Lambda-GB-Second", 400_000, 257_000 * 0.0000166667),
    ],
    ids=str,
)
def test_what_is_always_free_is_not_to_pay(
    config: dict[str, str], usage: str, free: float, due: float
) -> None:
    found = line(usage, cost(QUIET._replace(check_seconds=60), config=config))
    assert found["free"] == pytest.approx(free)
    assert found["due"] == pytest.approx(due)


def test_charges_that_share_an_allowance_get_it_once() -> None:
    logs = pricelist.Allowance(("a", "b"), 5, "GB")
    a, b = (pricelist.Price([(float("inf"), 1.0)], "GB", True, "", "") for _ in "ab")
    prices = PriceList("r", "R", {"a": a, "b": b})
    found = lines([Charge("in", "a", 4), Charge("kept", "b", 3)], prices, [logs])
    assert [(one.free, one.due) for one in found] == [(4, 0), (1, 2)]


@pytest.mark.parametrize(
    ("rate", "size", "per_connection", "seconds", "rules", "units"),
    [
        (100, 0, 1, 0, 1, 4),  # 25 new connections
        (100, 0, 100, 6_000, 1, 2),  # 3,000 open ones
        (1_000, 1_000, 1_000, 1, 1, 3.6),  # a gigabyte an hour
        (1_000, 0, 1_000, 1, 10, 0.04),  # ten rules are free: new connections count
        (1_000, 0, 1_000, 1, 13, 3),  # 1,000 evaluations of rules
        (0, 800, 1, 1, 20, 0),
    ],
)
def test_the_most_expensive_dimension_of_a_capacity_unit_counts(
    rate: float, size: float, per_connection: float, seconds: float, rules: int, units: float
) -> None:
    given = {"size": size, "per_connection": per_connection, "seconds": seconds}
    assert capacity_units(ALB, rate, **given, rules=rules) == pytest.approx(units)
    assert capacity_units(NLB, rate, **given, rules=rules) <= units  # carries more, and no rules


def test_requests_are_paid_by_capacity_units_and_data_out() -> None:
    """At 100 a second, each on a connection of its own: 4 units; 685 bytes each are 180 GB, of which 100 are free."""
    found = cost(Usage(requests_per_second=100))
    assert line("AWSELB/LCUUsage", found)["due"] == pytest.approx(4 * 730 * 0.008)
    out = 100 * 685 * 3_600 * 730 / 1e9
    paid = line("AWSDataTransfer/DataTransfer-Out-Bytes", found)["due"]
    assert paid == pytest.approx((out - 100) * 0.09)


@settings(max_examples=15, deadline=None)
@given(
    hosts=st.integers(0, 100),
    rate=st.floats(0, 1e5),
    seconds=st.floats(0, 900),
    more=st.tuples(st.integers(0, 10), st.floats(0, 1e4), st.floats(0, 100)),
)
def test_more_never_costs_less(
    hosts: int, rate: float, seconds: float, more: tuple[int, float, float]
) -> None:
    less = Usage(hosts=hosts, requests_per_second=rate, check_seconds=seconds)
    greater = Usage(
        hosts=hosts + more[0],
        requests_per_second=rate + more[1],
        check_seconds=seconds + more[2],
    )
    for prices in (US, EU):
        first, second = (result(DEFAULT, usage, prices) for usage in (less, greater))
        assert 0 < first["month"] <= second["month"]
        assert second["days"]["100"] <= first["days"]["100"] < first["days"]["200"]


def test_a_release_has_new_hosts_beside_the_old_until_its_time_out() -> None:
    found = cost()
    assert found["release_minutes"] == 25
    hosts = 2 * (0.0104 + 8 * 0.08 / 730) * 25 / 60
    assert found["release"] == pytest.approx(hosts + 2 * 0.000005 + 2 * 0.0000004)


def test_unlimited_credits_say_what_a_runaway_would_cost() -> None:
    assert cost()["runaway_hour"] == 0
    # All but the baseline of two vCPUs, 10 % each, or 20 %; $0.05 each
    micro = cost(config={"cpuCredits": "unlimited"})
    assert micro["runaway_hour"] == pytest.approx(2 * 2 * 0.9 * 0.05)
    assert micro["hour"] == pytest.approx(cost()["hour"])
    small = cost(config={"cpuCredits": "unlimited", "instanceType": "t3.small"})
    assert small["runaway_hour"] == pytest.approx(2 * 2 * 0.8 * 0.05)


def test_a_group_that_may_grow_says_what_it_costs_then() -> None:
    six = {"maxHosts": "6"}
    found = cost(config=six)
    assert found["hour_with_most_hosts"] == cost(QUIET._replace(hosts=6), config=six)["hour"]
    assert found["hour_with_most_hosts"] > found["hour"]


@pytest.mark.parametrize("region", pricelist.regions())
def test_every_price_has_its_source_and_date(region: str) -> None:
    prices = pricelist.read(region)
    assert prices.region == region
    for usage, one in prices.prices.items():
        assert one.source, usage
        assert one.date[:2] == "20" or one.date.startswith("after 20"), usage
        assert one.seen is not one.source.startswith("common knowledge"), usage
        assert all(price >= 0 for _, price in one.tiers), usage
        assert one.tiers[-1][0] == float("inf"), usage


@pytest.mark.parametrize("region", pricelist.regions())
def test_every_region_has_all_prices_that_any_setting_needs(region: str) -> None:
    prices = pricelist.read(region)
    dearest = {"cpuCredits": "unlimited", "maxHosts": "9", "alertEmail": "ops@example.org"}
    for kind in TEMPLATES["hosts"].parameters["InstanceType"]["AllowedValues"]:
        assert cost(prices=prices, config=dearest | {"instanceType": kind})["month"] > 0


def test_allowances_are_of_what_has_a_price_in_the_same_unit() -> None:
    for allowance in pricelist.allowances():
        for usage in allowance.usages:
            assert US.price(usage).unit.startswith(allowance.unit), usage


def test_a_price_that_is_missing_is_named_with_its_file() -> None:
    short = US._replace(prices={key: one for key, one in US.prices.items() if "LCU" not in key})
    with pytest.raises(NoPrice, match=r"us-east-1\.json has no price for AWSELB/LCUUsage"):
        cost(prices=short)


def test_the_command_tells_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["--region", "eu-west-1", "--requests-per-second", "0", "--config", "maxHosts=3"]) == 0
    )
    said = capsys.readouterr().out
    assert "2 hosts, t3.micro" in said
    assert "Without credits: $0.0599 an hour, $1.44 a day, $43.75 a month, $525 a year." in said
    assert "$100 of credits last 69 days, $200 last 139 days." in said
    assert "With all 3 hosts that there may be: $0.0723 an hour." in said
    assert "0.008?" in said  # the LCU's price there was seen nowhere
    assert "no free tier for hosts and balancers any more" in said
    assert max(map(len, said.splitlines())) <= 120


def test_the_command_tells_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--hosts", "4", "--requests-per-second", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(cost(QUIET._replace(hosts=4))))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--region", "eu-central-1"],
            "copy ops/prices/eu-west-1.json to ops/prices/eu-central-1.json",
        ),
        (["--region", "../prices/us-east-1"], "there is no price list for the Region"),
        (["--region", "always-free"], "there is no price list for the Region"),
        (
            ["--config", "minHosts=1"],
            'from 2 to 100. Run: make cost CONFIG="minHosts=VALUE"',
        ),
        (["--config", "minHosts=3"], "must be at least minHosts, which is 3"),
        (["--config", "instanceType=m5.large"], "must be one of t3.micro, t3.small"),
        (["--config", "size=big"], "there is no setting 'size'"),
        (["--config", "budget=5"], "because budget is 5"),
    ],
    ids=str,
)
def test_wrong_input_is_refused_in_words(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert says.lower() in told.err.lower()


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "many"])
def test_a_wrong_number_is_a_wrong_usage(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--requests-per-second", value])
    assert ended.value.code == 2
    assert "--requests-per-second" in capsys.readouterr().err


def test_a_budget_costs_nothing() -> None:
    assert any(one.name == "budget.Budget" for one in DEFAULT.all)
    mailed = {"alertEmail": "ops@example.org"}
    assert cost(config=mailed | {"budget": "5"})["month"] == cost(config=mailed)["month"]
