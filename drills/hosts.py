"""Drills of hosts and the containers on them: they die, they hang, they are slow."""

import time

from docker.models.containers import Container

from drills import outcome
from drills.trial import REPLACEMENT, TWO_CHECKS, Trial, drill
from local.containers import execute, instance_of
from local.hosts import find_step

# A t3.micro without CPU credits, and what it takes to install Docker (docs/capacity.md).
SLOW = {"HOST_CPUS": "0.2", "HOST_MEMORY": "1g", "TIMESERVICE_INSTALL_SECONDS": "45"}
# Seconds until the guard of an unhealthy host restarts the service: eight requests, 15 s apart.
# Each may take a moment, and so does the restart.
GUARD = 8 * 15 + 15
# Seconds that the hosts of a zone share to end themselves, and until the next zone's turn.
TURN, TURNS_APART = 120, 300


@drill("a host dies: its container is killed")
def host_dies(trial: Trial) -> None:
    with trial.load():
        trial.replace_host(trial.hosts()[0])
    trial.expect_errors_end(TWO_CHECKS)


@drill("a host dies long after its release, when its signal's URL has expired")
def late_replacement(trial: Trial) -> None:
    # S3 responds 403 to an expired URL, and to a bucket that the endpoint's policy does not name.
    allowed, expired = "cloudformation-waitcondition-${", "cloudformation-expired-${"
    trial.clone.replace("cfn/network.yaml", allowed, expired)
    try:
        done = trial.clone.make("up")
        trial.expect(done.status == 0, "the endpoint's policy is changed")
        with trial.load():
            trial.replace_host(trial.hosts()[0])
            (new,) = trial.new_hosts()
            refused = b"signal SUCCESS was refused"
            trial.wait_until(lambda: refused in new.logs(), 60, "its signal is refused")
    finally:
        trial.clone.replace("cfn/network.yaml", expired, allowed)
        trial.clone.make("up")
    trial.expect_errors_end(TWO_CHECKS)


@drill("both hosts die at once")
def both_hosts_die(trial: Trial) -> None:
    with trial.load():
        for host in trial.hosts():
            host.kill()
        # Two checks must fail first; then both successors start side by side.
        trial.wait_until_two_healthy(90, without=trial.pair)
    reasons = {outcome.reason(request) for request in outcome.failures(trial.requests)}
    # HAProxy closes the client's connection when that to the host breaks; an ALB responds 502.
    expected = {"502", "503", "504", "no response within 10 s", "the connection was closed"}
    trial.expect(reasons <= expected, f"each failure is no response or a 50x ({reasons})")


@drill("the container on a host dies: its process is killed")
def container_dies(trial: Trial) -> None:
    host = trial.hosts()[0]
    count = ["docker", "inspect", "-f", "{{.RestartCount}}", "timeservice"]
    with trial.load():
        execute(host, "kill", "-KILL", list_processes(host)[0])
        trial.wait_until(lambda: execute(host, *count).strip() == "1", 10, "Docker restarts it")
        trial.wait_until_two_healthy()
        time.sleep(TWO_CHECKS)
    trial.expect_errors_end(TWO_CHECKS)
    trial.expect_same_hosts()


@drill("the container on a host hangs (SIGSTOP)")
def container_hangs(trial: Trial) -> None:
    trial.pass_grace_period()
    host = trial.hosts()[0]
    with trial.load():
        execute(host, "kill", "-STOP", *list_processes(host))
        trial.wait_until_out(instance_of(host), TWO_CHECKS)
        # The host is drained, for 30 s at most, while its successor starts.
        trial.wait_until_two_healthy(without={instance_of(host)})
    trial.expect_errors_end(TWO_CHECKS)


def list_processes(host: Container) -> list[str]:
    """Return the service's process ids on its host, the master's first."""
    _, *processes = execute(host, "docker", "top", "timeservice", "-o", "pid").split()
    return sorted(processes, key=int)


@drill("the service on a young host is stopped by hand (docker stop)")
def service_stops(trial: Trial) -> None:
    host = trial.hosts()[0]
    with trial.load():
        execute(host, "docker", "stop", "timeservice")
        trial.wait_until_out(instance_of(host), TWO_CHECKS)
        trial.wait_until_two_healthy(GUARD + REPLACEMENT)
    trial.expect_errors_end(TWO_CHECKS)
    trial.expect_same_hosts()
    restarts = b"step: restarting the service"
    trial.expect(restarts in host.logs(), "the host has restarted the service itself")


@drill("the service is removed from both young hosts, so that no restart helps")
def restart_fails(trial: Trial) -> None:
    first, second = trial.hosts()
    with trial.load(20.0):
        for host in (first, second):
            execute(host, "docker", "rm", "--force", "timeservice")
        ending = "ending this host"
        trial.wait_until(lambda: ending in find_step(first), 2 * GUARD, "it reports its end")
        trial.notes.append(f"a host reports: {find_step(first)}")
        # The other waits for its turn, and the first one's successor serves before.
        trial.wait_until(
            lambda: list(trial.states().values()).count("healthy") == 1,
            TURN + REPLACEMENT,
            "the first host ends itself, and its successor serves",
        )
        trial.expect(instance_of(second) in trial.states(), "the hosts do not end together")
        trial.wait_until_two_healthy(TURNS_APART + TURN + REPLACEMENT, without=trial.pair)


@drill("a host reboots")
def host_reboots(trial: Trial) -> None:
    host = trial.hosts()[0]
    with trial.load():
        host.restart(timeout=10)
        # If the host was away for long, the balancer must notice it.
        time.sleep(TWO_CHECKS)
        trial.wait_until_two_healthy()
    trial.expect_errors_end(TWO_CHECKS)
    trial.expect_same_hosts()


@drill("slow hosts, 0.2 CPU and 1 GiB each, from their first boot on: a release, a replacement")
def slow_hosts(trial: Trial) -> None:
    try:
        with trial.load(20.0):
            began = time.time()
            trial.release(**SLOW)
            trial.notes.append(f"a release of slow hosts: {time.time() - began:.0f} s")
            trial.wait_until_two_healthy(without=trial.pair)
            # No time is promised here: the template allows a host 25 minutes.
            trial.replace_host(trial.hosts()[0], 900)
        trial.expect_errors_end(TWO_CHECKS)
    finally:
        trial.release()
