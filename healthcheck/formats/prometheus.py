"""Prometheus's text format, for the node exporter's textfile collector."""

from healthcheck.check import Result

PREFIX = "timeservice_healthcheck"


def render(result: Result) -> str:
    """Return all metrics with their help; numbers are in seconds."""
    verdict = result.verdict
    lines = [
        *_help("success", "Whether the service is up and its clock proven right."),
        _sample("success", verdict.status == "OK"),
        *_help("unknown", "Whether nothing could be said."),
        _sample("unknown", verdict.status == "Unknown"),
        *_help("offset_seconds", "The clock of an instance minus true time."),
    ]
    for instance in verdict.instances:
        lines.append(_sample("offset_seconds", instance.error.middle, instance=instance.name))
    lines += _help("bound_seconds", "How far off offset_seconds may be.")
    for instance in verdict.instances:
        lines.append(_sample("bound_seconds", instance.error.half_width, instance=instance.name))
    lines += _help("limit_seconds", "How far off a clock may be.")
    lines.append(_sample("limit_seconds", result.limit))
    lines += _help("duration_seconds", "Time until a phase of the check had ended.")
    for phase, took in result.phases.items():
        lines.append(_sample("duration_seconds", took, phase=phase))
    lines += _help(
        "checked_at_seconds", "When the check began, since 1970, by the checker's clock."
    )
    lines.append(_sample("checked_at_seconds", result.checked_at))
    return "\n".join(lines)


def _help(name: str, text: str) -> list[str]:
    return [f"# HELP {PREFIX}_{name} {text}", f"# TYPE {PREFIX}_{name} gauge"]


def _sample(name: str, value: float, **labels: str) -> str:
    pairs = ",".join(f'{key}="{_escape(label)}"' for key, label in labels.items())
    braces = f"{{{pairs}}}" if pairs else ""
    return f"{PREFIX}_{name}{braces} {float(value)!r}"


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
