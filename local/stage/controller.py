"""The part of Auto Scaling and of Elastic Load Balancing that acts: hosts as many as wanted, unhealthy ones replaced.

Every second: read what the API wants, look at what runs, and do the least that brings them together. It keeps no
state but which hosts are draining, so it can be killed and started again at any moment.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

from local.stage import balancer, cloud_api, hosts, names
from local.stage.cloud_api import Balancing, Group
from local.stage.hosts import Host

STATUS = Path("/run/balancer/status.json")
METRICS_PERIOD = 60  # seconds, as Elastic Load Balancing reports


class Controller:
    def __init__(self) -> None:
        self.draining: dict[str, float] = {}  # instance -> monotonic time at which patience ends
        self.metrics_at = 0.0

    def step(self) -> None:
        """One round; raises whatever the API or the engine raises, and the next round tries again."""
        aws = cloud_api.balancing()
        present = hosts.existing()
        if aws is None:  # not yet deployed, or destroyed: there is nothing to drain
            for host in present:
                self._remove(host, None)
            return
        if not balancer.apply(aws):
            return
        names.publish(aws.load_balancer["DNSName"])
        groups = {group.name: group for group in cloud_api.groups()}
        servers = balancer.servers()
        for host in present:
            self._tend(host, groups.get(host.group), servers.get(host.address), aws)
        for group in groups.values():
            self._fill(group, [host for host in present if host.group == group.name])
        self._tell(aws, present, servers)

    def _tend(
        self, host: Host, group: Group | None, server: balancer.Server | None, aws: Balancing
    ) -> None:
        if not host.running:
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
        elif server.unhealthy and time.time() - host.started > group.grace_period:
            self._drain(host, server, aws, "it is unhealthy")

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

    def _fill(self, group: Group, present: list[Host]) -> None:
        counted = Counter(
            host.zone for host in present if host.running and host.instance not in self.draining
        )
        for _ in range(group.desired - counted.total()):
            zone = min(group.zones, key=lambda zone: counted[zone])
            counted[zone] += 1
            print(f"{hosts.launch(group, zone)} is launched in {zone}", flush=True)

    def _tell(
        self, aws: Balancing, present: list[Host], servers: dict[str, balancer.Server]
    ) -> None:
        told = []
        for host in present:
            server = servers.get(host.address)
            state = "draining" if host.instance in self.draining else "initial"
            if state == "initial" and server:
                state = "healthy" if server.healthy else "unhealthy"
            told.append({**host._asdict(), "state": state})
        part = STATUS.with_suffix(".part")
        part.write_text(json.dumps(told))
        part.rename(STATUS)
        if time.monotonic() - self.metrics_at > METRICS_PERIOD:
            self.metrics_at = time.monotonic()
            counts = Counter(host["state"] for host in told)
            cloud_api.put_target_metrics(aws, counts["healthy"], counts["unhealthy"])


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
