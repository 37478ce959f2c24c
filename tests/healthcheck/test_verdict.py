"""How the healthcheck judges its measurements. All numbers are seconds."""

from __future__ import annotations

import pytest

from healthcheck.clock import OwnClocks
from healthcheck.interval import Interval
from healthcheck.reading import Kind, Reading, Reference, Sample, Trouble
from healthcheck.timestamp import Timestamp
from healthcheck.verdict import format_error, judge, likely_cause

NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z, when the tests' steady clock stands at zero
RTT = 0.040

REFUSED = Trouble("refused", "the connection is refused")


def sample(
    error: float = 0.0,
    at: float = 0.0,
    instance: str = "a",
    rtt: float = RTT,
    resolution: float = 1e-6,
    stated: float | None = None,
    own_step: float = 0.0,
    slept: tuple[float, float] = (0.0, 0.0),
) -> Sample:
    """A response to a request at `at`, from a clock that is `error` fast and was read halfway."""
    start = NOON + at
    said = start + rtt / 2 + error if stated is None else stated
    offset = Interval(said - (start + rtt), said + resolution - start)
    stamp = Timestamp(said, resolution)
    offset = offset.shift(-own_step)  # our wall clock was set forward before we asked
    before, after = (OwnClocks(NOON + own_step, seconds) for seconds in slept)
    return Sample(instance, offset, stamp, at, at + rtt, before, after, has_connected=True)


def against(kind: Kind = "ntp", own_error: float = 0.0, bound: float = 0.010) -> Reference:
    """The NTP servers' view of our own clock, which is `own_error` fast."""
    offset = Interval(-own_error - bound, -own_error + bound)
    return Reference(kind, offset, 0.0, OwnClocks(NOON, 0.0))


NTP = against()
DISAGREE = against("disagree")

# The bound is RTT/2 + half the resolution + 10 ms of the reference: 30 ms by default.
CASES = [
    ("right", [sample(), sample(at=1)], NTP, "OK", "ok"),
    ("0.9 s fast", [sample(0.9)], NTP, "OK", "ok"),
    ("0.9 s slow", [sample(-0.9)], NTP, "OK", "ok"),
    ("near the limit, and the bound reaches beyond", [sample(0.98)], NTP, "Failed", "undetermined"),
    ("past the limit, and the bound reaches back", [sample(1.02)], NTP, "Failed", "undetermined"),
    ("1.1 s fast", [sample(1.1)], NTP, "Failed", "clock_off"),
    ("1.1 s slow", [sample(-1.1)], NTP, "Failed", "clock_off"),
    ("one second slow at midnight is not a day fast", [sample(-1.2)], NTP, "Failed", "clock_off"),
    ("too far away to be judged", [sample(rtt=3.0)], NTP, "Failed", "undetermined"),
    ("too far away, yet wrong", [sample(5.0, rtt=3.0)], NTP, "Failed", "clock_off"),
    # Several samples of one instance narrow its interval ...
    ("a narrow sample helps a wide one", [sample(0.9, rtt=3.0), sample(0.9, 4)], NTP, "OK", "ok"),
    ("in either order", [sample(0.9), sample(0.9, 1, rtt=3.0)], NTP, "OK", "ok"),
    # ... those of different instances do not, and the worst of them decides.
    ("both right", [sample(0.9), sample(-0.9, 1, "b")], NTP, "OK", "ok"),
    ("the second wrong", [sample(), sample(2, 1, "b")], NTP, "Failed", "clock_off"),
    ("the first wrong", [sample(2), sample(0, 1, "b")], NTP, "Failed", "clock_off"),
    ("one not proven", [sample(), sample(1, 1, "b")], NTP, "Failed", "undetermined"),
    ("one wrong, one not proven", [sample(2), sample(1, 1, "b")], NTP, "Failed", "clock_off"),
    # A clock that is right only now and then is not right.
    ("a step back by 0.3", [sample(0.1), sample(-0.2, 1)], NTP, "Failed", "inconsistent"),
    ("a step forth by 0.3", [sample(-0.1), sample(0.2, 1)], NTP, "Failed", "inconsistent"),
    ("a drift that a clock may have", [sample(), sample(0.04, 1)], NTP, "OK", "ok"),
    ("it stands", [sample(), sample(at=1, stated=NOON + RTT / 2)], NTP, "Failed", "frozen"),
    (
        "it went on, and then stood",
        [sample(), sample(at=1), sample(at=2, stated=NOON + 1 + RTT / 2)],
        NTP,
        "Failed",
        "frozen",
    ),
    (
        "the same whole second twice is no standstill",
        [
            sample(stated=NOON - 0.5, resolution=1.0),
            sample(at=0.05, stated=NOON - 0.5, resolution=1.0),
        ],
        NTP,
        "OK",
        "ok",
    ),
    (
        "two instances may say the same",
        [sample(), sample(at=0.1, stated=NOON + RTT / 2, instance="b")],
        NTP,
        "OK",
        "ok",
    ),
    (
        "two hosts without names may come to say the same",
        [
            sample(0.4, instance="?", resolution=0.01, stated=NOON + 0.42),
            sample(0.1, at=0.2, instance="?", resolution=0.01, stated=NOON + 0.32),
            sample(0.1, at=0.3, instance="?", resolution=0.01, stated=NOON + 0.42),
        ],
        NTP,
        "OK",
        "ok",
    ),
    (
        "hosts without names all say the same",
        [sample(at=at, instance="?", stated=NOON + RTT / 2) for at in (0, 0.2, 0.3)],
        NTP,
        "Failed",
        "frozen",
    ),
    # Our own clock cancels, even if somebody sets it.
    ("ours is 100 s slow", [sample(100.0)], against(own_error=-100.0), "OK", "ok"),
    ("ours is 100 s fast", [sample(-100.0)], against(own_error=100.0), "OK", "ok"),
    ("both are 5 s fast", [sample(0.0)], against(own_error=5.0), "Failed", "clock_off"),
    ("ours was set between two", [sample(), sample(0, 1, own_step=5.0)], NTP, "OK", "ok"),
    ("ours was set at once", [sample(own_step=-3600.0)], NTP, "OK", "ok"),
    ("set, and the other wrong", [sample(2, own_step=5.0)], NTP, "Failed", "clock_off"),
    (
        "ours was set while it was the reference",
        [sample(own_step=5.0)],
        against("chosen", bound=0.1),
        "Unknown",
        "own_clock",
    ),
    # A reference from before the machine slept cannot judge a sample from after it.
    ("it slept during a request", [sample(5, slept=(-5, 0)), sample(0, 1)], NTP, "OK", "ok"),
    ("it slept since", [sample(-5, slept=(5, 5))], NTP, "Unknown", "own_clock"),
    # A clock that is being set right in small steps, or slewed, is not one that jumps.
    ("slewed by 8 %", [sample(rtt=0.01), sample(0.08, 1, rtt=0.01)], NTP, "OK", "ok"),
    ("slewed to the limit", [sample(0.9), sample(1.0, 1)], NTP, "Failed", "undetermined"),
    ("a small step", [sample(rtt=1e-4), sample(-0.004, 0.01, rtt=1e-4)], NTP, "OK", "ok"),
    # The reference. Its faults make no service Failed.
    ("one server", [sample()], against("single"), "OK", "ok"),
    ("one server, wrong", [sample(2)], against("single"), "Failed", "clock_off"),
    ("no server", [sample()], against("local", bound=0.1), "OK", "ok"),
    ("no server, wrong", [sample(2)], against("local", bound=0.1), "Unknown", "clock_off"),
    (
        "no server, perhaps wrong",
        [sample(0.95)],
        against("local", bound=0.1),
        "Unknown",
        "undetermined",
    ),
    ("own clock asked for", [sample(2)], against("chosen", bound=0.1), "Failed", "clock_off"),
    ("no majority", [sample()], DISAGREE, "Unknown", "reference_disagree"),
    (
        "no majority, but it stands",
        [sample(), sample(at=1, stated=NOON + RTT / 2)],
        DISAGREE,
        "Failed",
        "frozen",
    ),
    ("a useless reference", [sample()], against(bound=2.0), "Failed", "undetermined"),
]


@pytest.mark.parametrize(
    ("samples", "reference", "status", "reason"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_reading_gets_its_verdict(
    samples: list[Sample], reference: Reference, status: str, reason: str
) -> None:
    verdict = judge(Reading(tuple(samples), reference))
    assert (verdict.status, verdict.reason) == (status, reason), verdict.detail
    # Only these could change with another sample.
    assert verdict.is_final is (reason not in ("undetermined", "own_clock"))


@pytest.mark.parametrize(
    ("samples", "reference", "status", "reason"),
    [
        pytest.param([], NTP, "Failed", "refused", id="before any answer"),
        pytest.param([sample()], NTP, "Failed", "refused", id="after a right one"),
        pytest.param([sample(2)], NTP, "Failed", "clock_off", id="after a wrong one"),
        pytest.param([sample(1)], NTP, "Failed", "refused", id="after an unclear one"),
        pytest.param([sample()], DISAGREE, "Failed", "refused", id="without a reference"),
        pytest.param([sample(2)], against("local"), "Failed", "refused", id="with our own clock"),
    ],
)
def test_trouble_fails_unless_worse_was_proven(
    samples: list[Sample], reference: Reference, status: str, reason: str
) -> None:
    verdict = judge(Reading(tuple(samples), reference, REFUSED))
    assert (verdict.status, verdict.reason, verdict.is_final) == (status, reason, True)


@pytest.mark.parametrize(
    ("reference", "status", "reason"),
    [
        (against(own_error=0.5), "Failed", "tls"),
        (against(own_error=1.005), "Failed", "tls"),
        # A clock exactly at the limit is not proven wrong.
        (Reference("ntp", Interval(1.0, 2.0), 0.0, OwnClocks(NOON, 0.0)), "Failed", "tls"),
        (against("disagree", own_error=-10_800.0), "Failed", "tls"),
        (against(own_error=-10_800.0), "Unknown", "own_clock"),
        (against("local", bound=0.1), "Failed", "tls"),
    ],
)
def test_a_certificate_is_not_judged_by_a_clock_that_is_wrong(
    reference: Reference, status: str, reason: str
) -> None:
    dated = Trouble("tls", "the certificate is not yet valid", by_own_clock=True)
    verdict = judge(Reading((), reference, dated))
    assert (verdict.status, verdict.reason, verdict.is_final) == (status, reason, True)
    assert verdict.instances == ()
    assert ("this machine's own clock is 10,800 s slow (+-10 ms)" in verdict.detail) is (
        status == "Unknown"
    )


def test_other_trouble_than_a_certificate_s_is_not_blamed_on_our_own_clock() -> None:
    verdict = judge(Reading((), against(own_error=-10_800.0), REFUSED))
    assert (verdict.status, verdict.reason) == ("Failed", "refused")


def test_a_sample_that_ends_before_it_begins_counts_for_nothing() -> None:
    backwards = sample()._replace(arrived=-3600.0)
    assert judge(Reading((backwards,), NTP)).status == "Unknown"
    assert judge(Reading((backwards, sample(at=1)), NTP)).status == "OK"


@pytest.mark.parametrize("error", [1.0, -1.0])
def test_exactly_the_limit_is_ok_and_more_is_not(error: float) -> None:
    exact = Interval(error, error)
    at_limit = sample()._replace(offset=exact, sent=0.0, arrived=0.0)
    reference = Reference("ntp", Interval(0.0, 0.0), 0.0, OwnClocks(NOON, 0.0))
    assert judge(Reading((at_limit,), reference), limit=1.0).status == "OK"
    assert judge(Reading((at_limit,), reference), limit=0.999999).reason == "clock_off"


def test_without_another_the_limit_is_one_second() -> None:
    assert judge(Reading((sample(0.96),), NTP)).status == "OK"
    assert judge(Reading((sample(1.04),), NTP)).reason == "clock_off"


@pytest.mark.parametrize(
    ("resolution", "gap", "is_frozen"),
    [
        (1e-6, 0.04, False),
        (1e-6, 0.05, False),
        (1e-6, 0.06, True),
        (0.01, 0.06, True),
        (0.1, 0.19, False),
        (0.1, 0.21, True),
        (1.0, 1.9, False),
        (1.0, 2.1, True),
    ],
)
def test_a_clock_is_frozen_if_it_missed_two_steps_and_a_coarse_tick(
    resolution: float, gap: float, is_frozen: bool
) -> None:
    """The gap is from the end of a sample to the beginning of the next, in seconds."""
    stated = NOON + RTT / 2
    samples = (
        sample(stated=stated, resolution=resolution),
        sample(at=RTT + gap, stated=stated, resolution=resolution),
    )
    assert (judge(Reading(samples, NTP), limit=9.0).reason == "frozen") is is_frozen
    # For several clocks without a name, the rule is the same.
    unnamed = tuple(each._replace(instance="?") for each in samples)
    assert (judge(Reading(unnamed, NTP), limit=9.0).reason == "frozen") is is_frozen


def test_a_stamp_that_is_repeated_after_exactly_two_steps_is_no_standstill() -> None:
    samples = tuple(sample(at=at, rtt=0.25, stated=NOON, resolution=0.125) for at in (0.0, 0.5))
    assert judge(Reading(samples, NTP)).reason == "ok"


def test_several_unnamed_clocks_are_not_frozen_while_any_stamp_differs() -> None:
    stamps = (NOON, NOON + 0.5, NOON)
    samples = tuple(
        sample(at=number, stated=stamp, instance="?") for number, stamp in enumerate(stamps)
    )
    assert judge(Reading(samples, NTP), limit=9.0).reason == "ok"


@pytest.mark.parametrize(
    ("seconds", "move", "reason"),
    [
        # A slew of 10 % and a coarse tick of 50 ms can move a clock by this, minus both samples'
        # widths.
        (1.0, 0.19, "ok"),
        (1.0, 0.21, "inconsistent"),
        (1.0, -0.19, "ok"),
        (1.0, -0.21, "inconsistent"),
        (0.1, 0.10, "ok"),
        (0.1, 0.12, "inconsistent"),
    ],
)
def test_a_clock_jumps_if_it_moves_faster_than_it_can_be_slewed(
    seconds: float, move: float, reason: str
) -> None:
    samples = (sample(at=100.0), sample(move, at=100.0 + seconds))
    assert judge(Reading(samples, NTP)).reason == reason
    # Several unnamed clocks may differ by any amount.
    unnamed = tuple(each._replace(instance="?") for each in samples)
    assert judge(Reading(unnamed, NTP)).reason == "ok"


@pytest.mark.parametrize("at", [-10.0, 10.0])
def test_drift_widens_the_error_at_both_ends_before_the_reference_and_after(at: float) -> None:
    reference = NTP._replace(at=5.0)
    (instance,) = judge(Reading((sample(at=at),), reference)).instances
    drift = 50e-6 * abs(at + RTT - 5.0)
    assert instance.error.low == pytest.approx(-RTT / 2 - 0.010 - drift, abs=1e-5)
    assert instance.error.high == pytest.approx(RTT / 2 + 0.010 + drift, abs=1e-5)


def test_the_bound_is_half_the_round_trip_half_the_resolution_the_reference_and_the_drift() -> None:
    late = sample(0.25, at=10.0, resolution=0.001)
    worst = judge(Reading((late,), NTP)).worst
    assert worst is not None
    drift = 50e-6 * (10.0 + RTT)
    assert worst.error.half_width == pytest.approx(RTT / 2 + 0.0005 + 0.010 + drift, abs=1e-6)
    assert worst.error.middle == pytest.approx(0.25 + 0.0005, abs=1e-6)


def test_the_worst_instance_is_named_and_comes_first() -> None:
    found = judge(Reading((sample(0.1), sample(-7.5, 1, "b"), sample(3, 2, "c")), NTP))
    assert [instance.name for instance in found.instances] == ["b", "c", "a"]
    assert found.worst == found.instances[0]
    assert judge(Reading((), NTP)).worst is None
    assert found.detail == "host b is 7.50 s slow (+-30 ms)"


def test_an_instance_has_the_time_and_the_release_of_its_last_sample_and_their_number() -> None:
    samples = (
        sample(0.1, 0)._replace(version="old"),
        sample(0.1, 1, "b")._replace(version="other"),
        sample(0.1, 2)._replace(version="new"),
    )
    verdict = judge(Reading(samples, NTP))
    (instance,) = (each for each in verdict.instances if each.name == "a")
    assert instance.stated == pytest.approx(NOON + 2 + RTT / 2 + 0.1)
    assert (instance.version, instance.samples) == ("new", 2)


@pytest.mark.parametrize(
    ("samples", "detail"),
    [
        ((sample(), sample(3600.0, 1)), "the clock of host a jumps"),
        (
            (sample(3600.0), sample(at=1, stated=NOON + RTT / 2 + 3600.0)),
            "host a states the same time",
        ),
    ],
)
def test_a_jump_or_a_standstill_names_the_likely_cause_of_the_last_error(
    samples: tuple[Sample, ...], detail: str
) -> None:
    found = judge(Reading(samples, NTP)).detail
    assert found.startswith(detail)
    assert found.endswith(": looks like a time zone or DST error (+1 h)")


def test_a_proven_fault_comes_before_a_worse_suspicion() -> None:
    """b may be farther off than a, but only a is known to be wrong."""
    found = judge(Reading((sample(1.2), sample(0.5, 1, "b", rtt=4.0)), NTP))
    assert [instance.name for instance in found.instances] == ["a", "b"]


@pytest.mark.parametrize(("error", "proven"), [(0.0, True), (1.0, False), (2.0, True)])
def test_only_an_unclear_verdict_wants_more_samples(error: float, proven: bool) -> None:
    assert judge(Reading((sample(error),), NTP)).is_final is proven


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (3600.2, "looks like a time zone or DST error (+1 h)"),
        (-18000.0, "looks like a time zone or DST error (-5 h)"),
        (20700.0, "looks like a time zone or DST error (+5.75 h)"),
        (50400.0, "looks like a time zone or DST error (+14 h)"),
        (-50400.0, "looks like a time zone or DST error (-14 h)"),
        (51300.0, ""),  # no time zone is that far from UTC
        (-51300.0, ""),
        (900.0, "looks like a time zone or DST error (+0.25 h)"),
        (909.9, "looks like a time zone or DST error (+0.25 h)"),
        (910.0, ""),
        (-890.0, ""),
        (910.1, ""),
        (-890.1, "looks like a time zone or DST error (-0.25 h)"),
        (-889.9, ""),
        (0.0, ""),
        (9.0, ""),
        (3650.0, ""),
        (86400.0, ""),
        (2.0, ""),
        (-NOON * 0.999, "looks like seconds read as milliseconds"),
        (-NOON * 0.99901, "looks like seconds read as milliseconds"),
        (-NOON * 0.99902, ""),
        (-NOON * (1 - 0.0010095), "looks like seconds read as milliseconds"),
        (-NOON * (1 - 0.0010105), ""),
        (-NOON, ""),
    ],
)
def test_hints_name_the_usual_cause(error: float, text: str) -> None:
    assert likely_cause(error, NOON + error) == (f": {text}" if text else "")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Interval(-0.018, 0.024), "3.0 ms fast (+-21 ms)"),
        (Interval(-0.26, -0.24), "250 ms slow (+-10 ms)"),
        (Interval(0.9897, 1.0097), "1.00 s fast (+-10 ms)"),
        (Interval(2.35, 2.45), "2.40 s fast (+-50 ms)"),
        (Interval(0.9994, 0.9994), "999 ms fast (+-0.0 ms)"),
        (Interval(-0.9995, -0.9995), "1.00 s slow (+-0.0 ms)"),
        (Interval(9.99, 9.99), "9.99 s fast (+-0.0 ms)"),
        (Interval(-10.0, -10.0), "10 s slow (+-0.0 ms)"),
        (Interval(-0.00004, 0.02004), "10 ms fast (+-10 ms)"),
        (Interval(-0.00016, 0.01984), "9.8 ms fast (+-10 ms)"),
        (Interval(-3601.0, -3599.0), "3,600 s slow (+-1.00 s)"),
    ],
)
def test_errors_are_described_with_sign_bound_and_unit(error: Interval, text: str) -> None:
    assert format_error(error) == text
