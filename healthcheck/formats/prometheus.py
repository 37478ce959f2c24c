"""Prometheus's text format, for the node exporter's textfile collector."""

from healthcheck.check import Result
from healthcheck.url import remove_credentials


def render(result: Result) -> str:
    """Return all metrics with their help; numbers are in seconds."""
    status, hosts, coverage = result.verdict.status, result.verdict.instances, result.coverage
    url = _format_label("url", remove_credentials(result.url))
    names = {host: f"{url},{_format_label('instance', host.name)}" for host in hosts}
    offsets = {label: host.error.middle for host, label in names.items()}
    bounds = {label: host.error.half_width for host, label in names.items()}
    phases = {
        f"{url},{_format_label('phase', phase)}": took for phase, took in result.phases.items()
    }
    metrics: list[tuple[str, str, float | dict[str, float]]] = [
        ("success", "Whether the service is up and its clock proven right.", status == "OK"),
        ("unknown", "Whether the check has no verdict.", status == "Unknown"),
        ("offset_seconds", "The clock of an instance minus true time.", offsets),
        ("bound_seconds", "How far off offset_seconds may be.", bounds),
        ("limit_seconds", "How far off a clock may be.", result.limit),
        ("instances", "Hosts that responded.", coverage.seen),
        ("instances_expected", "Hosts that should respond.", coverage.expected),
        ("covered", "Whether hardly any host can have been missed.", coverage.is_complete),
        ("duration_seconds", "Time until a phase of the check had ended.", phases),
        ("checked_at_seconds", "When the check began, by the checker's clock.", result.checked_at),
    ]
    lines = []
    for name, text, value in metrics:
        full_name = f"timeservice_healthcheck_{name}"
        lines += [f"# HELP {full_name} {text}", f"# TYPE {full_name} gauge"]
        values = value if isinstance(value, dict) else {url: value}
        lines += [f"{full_name}{{{label}}} {float(number)!r}" for label, number in values.items()]
    return "\n".join(lines)


def _format_label(name: str, value: str) -> str:
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{name}="{escaped}"'
