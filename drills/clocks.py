"""Drills of clocks: a host's own goes wrong, or the time server's.

The faults themselves are in drills/faults/.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import requests
from docker.models.containers import Container

from deployment import ROOT
from drills.outcome import failures, worst_error
from drills.trial import TWO_CHECKS, Trial, drill
from local.containers import execute, instance_of
from service.clock import STALE
from service.timeserver import POLL

# Seconds within which all hosts have sent a request; after a kiss of death they send fewer.
NOTICE = 150.0


@drill("a host's clock is set 2 s wrong")
def clock_step(trial: Trial) -> None:
    host = trial.hosts()[0]
    make_adjustable(trial, host)
    trial.pass_grace_period()
    with trial.load():
        set_clock(host, step=2.0)
        expect_reported(trial, instance_of(host))
        trial.wait_until_out(instance_of(host), TWO_CHECKS)
        trial.wait_until_two_healthy(without={instance_of(host)})
    expect_no_time(trial)
    trial.expect_errors_end(TWO_CHECKS)


@drill("both hosts' clocks are set 3 s wrong at once")
def both_clocks_wrong(trial: Trial) -> None:
    hosts = trial.hosts()
    for host in hosts:
        make_adjustable(trial, host)
    trial.pass_grace_period()
    with trial.load():
        for host in hosts:
            set_clock(host, step=3.0)
        expect_reported(trial, "returns no time")
        trial.wait_until_two_healthy(90, without=trial.pair)
    expect_no_time(trial)
    trial.expect_errors_end(90)


def expect_reported(trial: Trial, text: str) -> None:
    """Repeat the healthcheck until its failure has this text: a check may meet one host alone."""

    def is_reported() -> bool:
        check = trial.check()
        if check.status != 2 or text not in check.output:
            return False
        trial.notes.append(f"healthcheck: {check.output.strip()[:200]}")
        return True

    trial.wait_until(is_reported, TWO_CHECKS, f"the healthcheck reports {text!r}")


def expect_no_time(trial: Trial) -> None:
    """Expect 503 from hosts whose clocks are wrong. No drill allows a wrong time."""
    trial.expect(bool(failures(trial.requests)), "a host whose clock is wrong responds 503")


@drill("a host's clock drifts by 1,000 ppm, from 0.45 s on")
def clock_drift(trial: Trial) -> None:
    host = trial.hosts()[0]
    make_adjustable(trial, host)
    trial.pass_grace_period()
    set_clock(host, step=0.45)
    # By then the service has asked its time server, and knows its error.
    time.sleep(2 * POLL)
    serves = trial.states().get(instance_of(host)) == "healthy"
    trial.expect(serves, "a host whose clock is 0.45 s wrong serves")
    with trial.load():
        set_clock(host, step=0.45, drift=1000e-6)
        # The clock needs 50 s for the last 0.05 s to the limit, and the service measures every 16
        # s.
        trial.wait_until_out(instance_of(host), 50 + POLL + 2 * TWO_CHECKS)
        trial.wait_until_two_healthy(without={instance_of(host)})
    worst = worst_error(trial.requests)
    trial.notes.append(f"its clock was {worst:.3f} s off at most when it last served")
    trial.expect(0.45 < worst < 1.0, f"it is taken out before its error passes 1 s ({worst:.3f} s)")
    trial.expect_errors_end(TWO_CHECKS + 50 + POLL)


@drill("the time server dies, for 90 s")
def time_server_dies(trial: Trial) -> None:
    @contextmanager
    def stop() -> Iterator[None]:
        server = trial.container("time")
        server.stop(timeout=1)
        try:
            yield
        finally:
            server.start()

    disturb_time_server(trial, stop(), lambda: clock_states(trial) == {"server_silent"})


@drill("the time server responds with the kiss of death")
def time_server_kisses(trial: Trial) -> None:
    def is_refused() -> bool:
        return all("DENY" in str(clock["trouble"]) for clock in read_clocks(trial))

    disturb_time_server(trial, false_time(trial, "kiss"), is_refused, STALE)


@drill("the time server's time suddenly is 3 s wrong")
def time_server_lies(trial: Trial) -> None:
    false = false_time(trial, "lie", "3")
    disturb_time_server(trial, false, lambda: clock_states(trial) == {"server_disagrees"}, 3 * POLL)


def disturb_time_server(
    trial: Trial,
    fault: AbstractContextManager[Any],
    is_noticed: Callable[[], bool],
    seconds: float = 0.0,
) -> None:
    """Disturb the time server until /now reports it, and `seconds` longer.

    No host may go, and no request may fail.
    """
    with trial.load():
        with fault:
            trial.wait_until(is_noticed, STALE + NOTICE, "/now reports the time server's fault")
            time.sleep(seconds)
            check = trial.check()
            trial.notes.append(f"/now reports {sorted(clock_states(trial))}")
        synchronised = {"synchronised"}
        trial.wait_until(
            lambda: clock_states(trial) == synchronised, NOTICE, "/now reports its recovery"
        )
    trial.expect_no_failure()
    trial.expect_same_hosts()
    trial.expect_never_short()
    trial.expect(check.status == 0, f"the healthcheck is OK ({check.output.strip()[:200]})")


def read_clocks(trial: Trial) -> list[dict[str, Any]]:
    """Return what several responses of /now in a row report of the clock."""
    return [requests.get(f"{trial.clone.url}/now", timeout=10).json()["clock"] for _ in range(6)]


def clock_states(trial: Trial) -> set[str]:
    return {str(clock["state"]) for clock in read_clocks(trial)}


def false_time(trial: Trial, *how: str) -> AbstractContextManager[Container]:
    """Redirect requests from the time server to a false one during the block."""
    network = f"container:{trial.container('time').id}"
    return trial.fault(network, "/faults/time_server.py", *how)


def make_adjustable(trial: Trial, host: Container) -> None:
    """Start the service on a host again so that its clock can be set."""
    execute(host, "mkdir", "-p", "/faults")
    fault = (ROOT / "drills/faults/sitecustomize.py").read_bytes()
    execute(host, "tee", "/faults/sitecustomize.py", data=fault)
    # The engine's API makes a container from a description that it returned: this one gets another
    # folder and path.
    (present,) = json.loads(execute(host, "docker", "inspect", "timeservice"))
    config = present["Config"]
    config["Env"] = [
        variable.replace("PYTHONPATH=", "PYTHONPATH=/faults:") for variable in config["Env"]
    ]
    config["HostConfig"] = present["HostConfig"] | {"Binds": ["/faults:/faults:ro"]}
    execute(host, "docker", "rm", "--force", "timeservice")
    create = "http://docker/containers/create?name=timeservice"
    curl = ["curl", "-fsS", "--unix-socket", "/var/run/docker.sock", create, "--data-binary", "@-"]
    curl += ["-H", "Content-Type: application/json"]
    execute(host, *curl, data=json.dumps(config).encode())
    execute(host, "docker", "start", "timeservice")
    time.sleep(TWO_CHECKS)
    trial.wait_until_two_healthy()


def set_clock(host: Container, step: float, drift: float = 0.0) -> None:
    """Make a host's clock wrong. step: seconds, from now on. drift: seconds per second."""
    setting = f"{step} {drift} {time.monotonic()}\n"
    # The service never reads half of the file.
    execute(host, "tee", "/faults/clock.new", data=setting.encode())
    execute(host, "mv", "/faults/clock.new", "/faults/clock")
