"""Drills of the cloud around the hosts: its balancer, its API, a zone of it."""

import time

from drills import outcome
from drills.trial import TWO_CHECKS, Trial, drill
from local.containers import execute, instance_of, zone_of
from local.launch import create_network


@drill("the balancer restarts")
def balancer_restarts(trial: Trial) -> None:
    with trial.load():
        trial.container("balancer").restart(timeout=2)
        # How long the engine itself takes depends on what else runs on the machine.
        away = time.time() - trial.fault_at
        trial.wait_until_two_healthy()
        time.sleep(TWO_CHECKS)
    trial.expect_errors_end(away + 10)
    trial.expect_same_hosts()


@drill("the AWS API does not respond for a minute, and a host dies right after")
def api_away(trial: Trial) -> None:
    with trial.load():
        api = trial.container("api")
        api.pause()
        time.sleep(60)
        back = time.time()
        api.unpause()
        trial.replace_host(trial.hosts()[0])
    failed = outcome.failures(outcome.between(trial.requests, 0, back))
    trial.expect(not failed, "no request fails while the API is away")
    trial.expect_errors_end(TWO_CHECKS)


@drill("the controller is killed, and a host right after")
def controller_dies(trial: Trial) -> None:
    with trial.load():
        execute(trial.container("controller"), "kill", "-KILL", "--", "-1")
        trial.replace_host(trial.hosts()[0])
    trial.expect_errors_end(TWO_CHECKS)


@drill("a zone is gone: its host and its subnet; when it is back, a host of the other zone dies")
def zone_gone(trial: Trial) -> None:
    lost = trial.hosts()[-1]
    zone = zone_of(lost)
    network = trial.cloud.engine.networks.get(f"{trial.cloud.name}-{zone}")
    balancer, time_server = trial.container("balancer"), trial.container("time")
    with trial.load():
        lost.kill()
        network.disconnect(balancer, force=True)
        network.disconnect(time_server, force=True)
        lost.remove(force=True)
        network.remove()
        trial.wait_until_two_healthy(90, without={instance_of(lost)})
        trial.expect(zone not in zones(trial), "the other zone serves alone")
        time.sleep(5)
    trial.expect_errors_end(TWO_CHECKS)
    create_network(trial.cloud, zone)
    network = trial.cloud.engine.networks.get(f"{trial.cloud.name}-{zone}")
    network.connect(balancer, aliases=["cloud.internal"])
    network.connect(time_server)
    # The group launches the successor in the zone with fewer hosts.
    last = trial.hosts()[0]
    last.kill()
    trial.wait_until_two_healthy(90, without={instance_of(last)})
    trial.expect(len(zones(trial)) == 2, "when the zone is back, the next host starts there")


def zones(trial: Trial) -> set[str]:
    return {zone_of(host) for host in trial.hosts()}
