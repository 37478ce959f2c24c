"""The part of Auto Scaling and of Elastic Load Balancing that acts: hosts as many as wanted, unhealthy ones replaced.

Every second: read what the API wants, look at what runs, and do the least that brings them together. It keeps no
state but which hosts are draining and where those that have ended were, so it can be killed and started again at any
moment.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from local.cloud import balancer, cloud_api, hosts, names
from local.cloud.cloud_api import Balancing, Group
from local.cloud.hosts import Host

STATUS = Path("/run/balancer/status.json")
METRICS_PERIOD = 60  # seconds, as Elastic Load Balancing reports


class Controller:
    def __init__(self) -> None:
        self.draining: dict[str, float] = {}  # instance -> monotonic time at which patience ends
        self.addresses: dict[str, str] = {}  # instance -> address, also of a host that has ended
        self.registered: dict[str, float] = {}  # instance -> monotonic time
        self.metrics_at = 0.0
        self.errors: dict[str, int] = {}  # 5xx that were reported already

    def step(self) -> None:
        """One round; raises whatever the API or the engine raises, and the next round tries again."""
        aws = cloud_api.balancing()
        present = hosts.existing()
        if aws is None:  # not yet deployed, or destroyed: there is nothing to drain
            for host in present:
                self._remove(host, None)
            return
        if not balancer.apply(aws, names.in_zones()):
            return
        names.publish(aws.load_balancer["DNSName"])
        groups = {group.name: group for group in cloud_api.groups()}
        servers = balancer.servers()
        self._remember(present, servers)
        for host in present:
            server = servers.get(self.addresses.get(host.instance, ""))
            self._tend(host, groups.get(host.group), server, aws)
        left = [host for host in present if host.instance in self.addresses]
        for group in groups.values():
            self._fill(group, [host for host in left if host.group == group.name])
        self._tell(aws, present, servers)

    def _remember(self, present: list[Host], servers: dict[str, balancer.Server]) -> None:
        """Learn where the hosts are, and let go of addresses at which there is none any more."""
        known = {host.instance: host.address for host in present if host.running}
        taken = set(known.values())
        for host in present:
            # The engine gives the address of a host that has ended to the next one.
            if not host.running and (address := self.addresses.get(host.instance)) not in taken:
                known[host.instance] = address or ""
        self.addresses = known
        for address, server in servers.items():
            if address not in known.values():
                balancer.release(server)

    def _tend(
        self, host: Host, group: Group | None, server: balancer.Server | None, aws: Balancing
    ) -> None:
        if not host.running:
            # EC2 takes minutes to notice that a host is gone: it gets requests until the balancer's checks have failed.
            if server is None or not server.healthy:
                print(f"{host.instance} has ended", flush=True)
                self._remove(host, server)
        elif host.instance in self.draining:
            over = time.monotonic() > self.draining[host.instance]
            if server is None or server.sessions == 0 or over:
                self._remove(host, server)
        elif group is None:
            self._drain(host, server, aws, "its group is gone")
        elif server is None:
            balancer.register(host.address)
            self.registered[host.instance] = time.monotonic()
        elif server.unhealthy and self._was_checked(host, aws) and _age(host) > group.grace_period:
            self._drain(host, server, aws, "it is unhealthy")

    def _was_checked(self, host: Host, aws: Balancing) -> bool:
        """Whether it has had the time to be found healthy: a balancer that starts again begins with all hosts down."""
        target = aws.target_group
        each = target["HealthCheckIntervalSeconds"] + target["HealthCheckTimeoutSeconds"]
        needed = float(each * target["HealthyThresholdCount"])
        return time.monotonic() - self.registered.get(host.instance, 0.0) > needed

    def _drain(self, host: Host, server: balancer.Server | None, aws: Balancing, why: str) -> None:
        delay = float(aws.target_attributes["deregistration_delay.timeout_seconds"])
        print(f"{host.instance} is drained: {why}", flush=True)
        self.draining[host.instance] = time.monotonic() + delay
        if server:
            balancer.drain(server)

    def _remove(self, host: Host, server: balancer.Server | None) -> None:
        if server:
            balancer.release(server)
        hosts.terminate(host)
        self.draining.pop(host.instance, None)
        self.addresses.pop(host.instance, None)
        self.registered.pop(host.instance, None)

    def _fill(self, group: Group, present: list[Host]) -> None:
        counted = Counter(host.zone for host in present if host.instance not in self.draining)
        for _ in range(group.desired - counted.total()):
            zone = self._launch(group, sorted(group.zones, key=lambda zone: counted[zone]))
            counted[zone] += 1

    def _launch(self, group: Group, zones: list[str]) -> str:
        """Launch a host in the first of the zones that can have one, as a group does; returns the zone."""
        for zone in zones:
            try:
                print(f"{hosts.launch(group, zone)} is launched in {zone}", flush=True)
            except hosts.LaunchError as refused:
                print(f"no host can be launched in {zone}: {refused}", flush=True)
            else:
                return zone
        raise hosts.LaunchError("no zone can have a host")

    def _tell(
        self, aws: Balancing, present: list[Host], servers: dict[str, balancer.Server]
    ) -> None:
        told = []
        for host in present:
            told.append({**host._asdict(), "state": self._state(host, servers.get(host.address))})
        part = STATUS.with_suffix(".part")
        part.write_text(json.dumps(told))
        part.rename(STATUS)
        if time.monotonic() - self.metrics_at > METRICS_PERIOD:
            self.metrics_at = time.monotonic()
            self._report(aws, Counter(host["state"] for host in told))

    def _report(self, aws: Balancing, states: Mapping[str, int]) -> None:
        hosts = {"HealthyHostCount": states["healthy"], "UnHealthyHostCount": states["unhealthy"]}
        errors, before = balancer.errors(), self.errors
        # HAProxy counts from 0 again when it was started again, or has read a new configuration.
        new = {
            name: count - (past if (past := before.get(name, 0)) <= count else 0)
            for name, count in errors.items()
        }
        cloud_api.put_metrics(aws, hosts, new)
        self.errors = errors

    def _state(self, host: Host, server: balancer.Server | None) -> str:
        if not host.running:
            return "ended"
        if host.instance in self.draining:
            return "draining"
        if server is None:
            return "initial"
        return "healthy" if server.healthy else "unhealthy"


def _age(host: Host) -> float:
    return time.time() - host.started


def main() -> None:
    controller = Controller()
    said = ""
    while True:
        try:
            controller.step()
            said = ""
        except Exception as trouble:  # whatever it is, a controller that has ended helps nobody
            if str(trouble) != said:
                said = str(trouble)
                print(f"{type(trouble).__name__}: {said}", flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main()
