"""Prometheus's text format, for the node exporter's textfile collector."""

from healthcheck.check import Result
from healthcheck.verdict import Instance


def render(result: Result) -> str:
    """Return all metrics with their help; numbers are in seconds."""
    status, hosts = result.verdict.status, result.verdict.instances
    offsets = {_label(host): host.error.middle for host in hosts}
    bounds = {_label(host): host.error.half_width for host in hosts}
    phases = {f'{{phase="{phase}"}}': took for phase, took in result.phases.items()}
    started = {"": result.checked_at}
    metrics: list[tuple[str, str, dict[str, float]]] = [
        ("success", "Whether the service is up and its clock proven right.", {"": status == "OK"}),
        ("unknown", "Whether nothing could be said.", {"": status == "Unknown"}),
        ("offset_seconds", "The clock of an instance minus true time.", offsets),
        ("bound_seconds", "How far off offset_seconds may be.", bounds),
        ("limit_seconds", "How far off a clock may be.", {"": result.limit}),
        ("duration_seconds", "Time until a phase of the check had ended.", phases),
        ("checked_at_seconds", "When the check began, by the checker's clock.", started),
    ]
    lines = []
    for name, text, values in metrics:
        full_name = f"timeservice_healthcheck_{name}"
        lines += [f"# HELP {full_name} {text}", f"# TYPE {full_name} gauge"]
        lines += [f"{full_name}{label} {float(value)!r}" for label, value in values.items()]
    return "\n".join(lines)


def _label(host: Instance) -> str:
    name = host.name.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{{instance="{name}"}}'
