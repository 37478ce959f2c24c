"""The output of a monitoring plugin (Nagios, Icinga, Naemon): one line with performance data.

The Monitoring Plugins' development guidelines define it:
'label'=value[unit];[warn];[crit];[min];[max].
"""

from healthcheck.check import Result
from healthcheck.formats.text import describe


def status(result: Result) -> str:
    """Return OK, WARNING, CRITICAL or UNKNOWN.

    What is not proven is UNKNOWN: a person should look. A host that may be missed is a WARNING.
    """
    if result.verdict.status == "OK":
        return "OK" if result.coverage.is_complete else "WARNING"
    if result.verdict.status == "Unknown" or result.verdict.reason == "undetermined":
        return "UNKNOWN"
    return "CRITICAL"


def render(result: Result) -> str:
    """Return the line; performance data are in seconds."""
    # A `|` in the text would begin the performance data.
    text = describe(result).replace("|", "/")
    return f"TIME {status(result)}: {text} | {' '.join(_performance_data(result))}"


def _performance_data(result: Result) -> list[str]:
    limit = f"{result.limit:g}"
    data = [f"'duration'={result.phases['total']:.6f}s;;;0;"]
    if worst := result.verdict.worst:
        # An offset may be negative, so it is critical outside of a range.
        data.append(f"'offset'={worst.error.middle:.6f}s;;-{limit}:{limit};;")
        data.append(f"'bound'={worst.error.half_width:.6f}s;;;0;")
    # Fewer hosts than expected are a warning.
    data.append(f"'instances'={result.coverage.seen};{result.coverage.expected}:;;0;")
    return data
