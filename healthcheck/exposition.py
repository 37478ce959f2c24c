"""Says a result in Prometheus's text format, for the node exporter's textfile collector. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from healthcheck.check import Result

PREFIX = "timeservice_healthcheck"
Labels = dict[str, str]


def text(result: Result) -> str:
    """All metrics, with their help; numbers are in seconds."""
    verdict = result.verdict
    by_instance = [({"instance": one.name}, one.error) for one in verdict.instances]
    metrics: list[tuple[str, str, Iterable[tuple[Labels, float]]]] = [
        (
            "success",
            "Whether the service is up and its clock proven right.",
            [({}, verdict.status == "OK")],
        ),
        ("unknown", "Whether nothing could be said.", [({}, verdict.status == "Unknown")]),
        (
            "offset_seconds",
            "The clock of an instance minus true time.",
            [(labels, error.middle) for labels, error in by_instance],
        ),
        (
            "bound_seconds",
            "How far off offset_seconds may be.",
            [(labels, error.half_width) for labels, error in by_instance],
        ),
        ("limit_seconds", "How far off a clock may be.", [({}, result.limit)]),
        (
            "duration_seconds",
            "Time until a phase of the check had ended.",
            [({"phase": name}, took) for name, took in result.phases.items()],
        ),
        (
            "checked_at_seconds",
            "When the check began, since 1970, by the checker's clock.",
            [({}, result.checked_at)],
        ),
    ]
    parts = (part for name, help_, values in metrics for part in _metric(name, help_, values))
    return "".join(parts).rstrip("\n")


def _metric(name: str, help_: str, values: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    yield f"# HELP {PREFIX}_{name} {help_}\n# TYPE {PREFIX}_{name} gauge\n"
    for labels, value in values:
        listed = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        braced = f"{{{listed}}}" if listed else ""
        yield f"{PREFIX}_{name}{braced} {float(value)!r}\n"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
