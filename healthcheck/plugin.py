"""Says a result as a monitoring plugin does (Nagios, Icinga, Naemon ...): one line with performance data. Pure.

The form is that of the Monitoring Plugins' development guidelines: 'label'=value[unit];[warn];[crit];[min];[max].
"""

from __future__ import annotations

from healthcheck.check import Result
from healthcheck.telling import detail

STATUS = {"OK": "OK", "Failed": "CRITICAL", "Unknown": "UNKNOWN"}


def status(result: Result) -> str:
    """OK, CRITICAL or UNKNOWN. What is not proven either way is UNKNOWN here: it is for a person to look at."""
    if result.verdict.reason == "undetermined":
        return "UNKNOWN"
    return STATUS[result.verdict.status]


def line(result: Result) -> str:
    """The plugin's output; performance data are in seconds."""
    # A bar would begin the performance data.
    return f"TIME {status(result)}: {detail(result).replace('|', '/')} | {' '.join(_data(result))}"


def _data(result: Result) -> list[str]:
    limit = f"{result.limit:g}"
    data = [f"'duration'={result.phases['total']:.6f}s;;;0;"]
    if worst := result.verdict.worst:
        # A range of its own, as an offset may be negative: critical outside of -limit to limit.
        data.append(f"'offset'={worst.error.middle:.6f}s;;-{limit}:{limit};;")
        data.append(f"'bound'={worst.error.half_width:.6f}s;;;0;")
    data.append(f"'instances'={len(result.verdict.instances)};;;0;")
    return data
