"""Auto Scaling and Elastic Load Balancing: keep enough hosts, and replace unhealthy ones.

In each round, the controller reads what the API wants, looks at what runs, and changes as little as
brings the two together. It can be killed and started again at any moment.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from local.cloud import balancer, cloud_api, engine, hosts
from local.cloud.balancer import Server
from local.cloud.balancer_config import SLOTS
from local.cloud.cloud_api import Balancing, Group
from local.cloud.hosts import Host
from local.containers import REPORT

STATUS = Path(REPORT)
# Seconds between two reports of metrics, as of Elastic Load Balancing.
METRICS_PERIOD = 60
# Seconds between two rounds.
PAUSE = 1.0
# Where nothing has changed for QUIET seconds, rounds are rarer: each takes some 50 ms of CPU time.
QUIET_PAUSE = 5.0
QUIET = 60.0
# Seconds in which a host that ends counts as a failed launch.
YOUNG = 60
# Seconds for which failed launches make the next ones wait.
FAILURE_WINDOW = 300


class Controller:
    """What the controller remembers from one round to the next, by instance id."""

    def __init__(self) -> None:
        self.draining: dict[str, float] = {}  # the monotonic time at which draining ends
        self.addresses: dict[str, str] = {}  # also of hosts that have ended
        self.registered: dict[str, float] = {}  # the monotonic time at which it got its server
        self.states: dict[tuple[str, str], int] = {}  # the time at which a host's state began
        self.served: set[str] = set()  # hosts that were healthy once
        # By group: the monotonic times at which a young host ended, or none could be launched.
        self.failures: defaultdict[str, list[float]] = defaultdict(list)
        self.metrics_at = float("-inf")
        self.errors = Counter[str]()  # the 5xx that were reported already
        self.report: list[dict[str, Any]] = []
        self.changed_at = time.monotonic()

    def run_round(self) -> None:
        """Look once, and act. Raises what the API or the engine raises."""
        aws = cloud_api.get_balancing()
        present = hosts.list_hosts()
        if aws is None:
            # Nothing is deployed, so no request is to be drained.
            for host in present:
                self._remove(host, None)
            self._write_report([], {}, {})
            return
        groups = {group.name: group for group in cloud_api.list_groups()}
        if not balancer.apply(aws, engine.list_zone_addresses(), count_slots(groups.values())):
            return
        engine.publish_name(aws.load_balancer["DNSName"])
        servers = balancer.list_servers()
        self._learn_addresses(present, servers)
        try:
            for host in present:
                server = servers.get(self.addresses.get(host.instance, ""))
                self._tend(host, groups.get(host.group), server, aws)
            left = [host for host in present if host.instance in self.addresses]
            for group in groups.values():
                self._fill(group, [host for host in left if host.group == group.name])
        finally:
            # This also runs when no host can be launched: the other hosts are still there.
            self._write_report(present, groups, servers)
            self._put_metrics(aws)

    def get_pause(self) -> float:
        """Return the seconds until the next round."""
        is_quiet = time.monotonic() - self.changed_at > QUIET
        all_healthy = all(host["state"] == "healthy" for host in self.report)
        return QUIET_PAUSE if is_quiet and all_healthy else PAUSE

    def _learn_addresses(self, present: list[Host], servers: dict[str, Server]) -> None:
        """Learn where the hosts are, and release servers at whose address there is none."""
        known = {host.instance: host.address for host in present if host.running}
        taken = set(known.values())
        for host in present:
            if not host.running:
                # The engine forgets the address, and gives it to the next host.
                address = self.addresses.get(host.instance, "")
                if address not in taken:
                    known[host.instance] = address
        self.addresses = known
        for address, server in servers.items():
            if address not in known.values():
                balancer.free_slot(server)

    def _tend(self, host: Host, group: Group | None, server: Server | None, aws: Balancing) -> None:
        if not host.running:
            # EC2 takes minutes to notice the end of a host. Until the checks of the balancer fail,
            # the host gets requests.
            if server is None or not server.healthy:
                print(f"{host.instance} has ended; its last line: {hosts.get_last_line(host)}")
                now = time.monotonic()
                if now - self.registered.get(host.instance, now) < YOUNG:
                    self.failures[host.group].append(now)
                self._remove(host, server)
        elif host.instance in self.draining:
            is_over = time.monotonic() > self.draining[host.instance]
            if server is None or server.sessions == 0 or is_over:
                self._remove(host, server)
        elif group is None:
            self._drain(host, server, aws, "its group is gone")
        elif server is None:
            balancer.register(host.address)
            # All hosts are down at first, also in a balancer that starts again.
            self.registered[host.instance] = time.monotonic()
        elif server.unhealthy:
            registered = self.registered.setdefault(host.instance, time.monotonic())
            if time.monotonic() - registered > group.grace_period:
                self._drain(host, server, aws, "it is unhealthy")

    def _drain(self, host: Host, server: Server | None, aws: Balancing, reason: str) -> None:
        delay = float(aws.target_attributes["deregistration_delay.timeout_seconds"])
        print(f"{host.instance} is drained: {reason}")
        self.draining[host.instance] = time.monotonic() + delay
        if server:
            balancer.drain(server)

    def _remove(self, host: Host, server: Server | None) -> None:
        if server:
            balancer.free_slot(server)
        hosts.terminate(host)
        self.draining.pop(host.instance, None)
        self.addresses.pop(host.instance, None)
        self.registered.pop(host.instance, None)
        self.served.discard(host.instance)

    def _fill(self, group: Group, present: list[Host]) -> None:
        counted = Counter(host.zone for host in present if host.instance not in self.draining)
        if self._backs_off(group.name):
            return
        for _ in range(group.desired - counted.total()):
            zone = self._launch(group, sorted(group.zones, key=lambda zone: counted[zone]))
            counted[zone] += 1

    def _backs_off(self, group: str) -> bool:
        """Return whether launches wait: for 0, 2, 6 ... 60 s after a host that failed early."""
        now = time.monotonic()
        recent = self.failures[group] = [
            at for at in self.failures[group] if now - at < FAILURE_WINDOW
        ]
        return bool(recent) and now - recent[-1] < min(2 ** len(recent) - 2, 60)

    def _launch(self, group: Group, zones: list[str]) -> str:
        """Launch a host in the first zone that takes one; return the zone. Raises LaunchError."""
        for zone in zones:
            try:
                print(f"{hosts.launch(group, zone)} is launched in {zone}")
            except hosts.LaunchError as error:
                print(f"no host can be launched in {zone}: {error}")
            else:
                return zone
        self.failures[group.name].append(time.monotonic())
        raise hosts.LaunchError("no zone can have a host")

    def _write_report(
        self, present: list[Host], groups: dict[str, Group], servers: dict[str, Server]
    ) -> None:
        """Write for make status: each host's state, since when, and when it may be replaced."""
        report = []
        states: dict[tuple[str, str], int] = {}
        for host in present:
            state = self._state(host, servers.get(host.address))
            key = host.instance, state
            since = states[key] = self.states.get(key, int(time.time()))
            group, registered = groups.get(host.group), self.registered.get(host.instance)
            replaced_at = None
            if state in ("booting", "unhealthy") and group and registered is not None:
                left = group.grace_period - (time.monotonic() - registered)
                replaced_at = int(time.time() + left)
            times = {"since": since, "replaced_at": replaced_at}
            report.append({**host._asdict(), "state": state, **times})
        if states != self.states:
            self.changed_at = time.monotonic()
        self.states, self.report = states, report
        balancer.write(STATUS, json.dumps(report))

    def _put_metrics(self, aws: Balancing) -> None:
        """Write each minute what Elastic Load Balancing counts."""
        if time.monotonic() - self.metrics_at <= METRICS_PERIOD:
            return
        self.metrics_at = time.monotonic()
        states = Counter(host["state"] for host in self.report)
        counts = {
            "HealthyHostCount": states["healthy"],
            "UnHealthyHostCount": states["booting"] + states["unhealthy"],
        }
        errors = balancer.count_errors()
        new = {}
        for name, count in errors.items():
            before = self.errors[name]
            # HAProxy counts from 0 again after a start or a reload.
            new[name] = count - before if before <= count else count
        cloud_api.put_metrics(aws, counts, new)
        self.errors = Counter(errors)

    def _state(self, host: Host, server: Server | None) -> str:
        if not host.running:
            return "ended"
        if host.instance in self.draining:
            return "draining"
        if server and server.healthy:
            self.served.add(host.instance)
            return "healthy"
        return "unhealthy" if host.instance in self.served else "booting"


def count_slots(groups: Iterable[Group]) -> int:
    """Return the balancer's places: for two releases at their largest, and all replacements."""
    return max([SLOTS, *(4 * group.most for group in groups)])


def main() -> None:
    controller = Controller()
    last = ""
    while True:
        message = ""
        try:
            controller.run_round()
        except Exception as error:
            # After any error, the next round may succeed, and hosts need a controller.
            message = f"{type(error).__name__}: {error}"
        if message and message != last:
            print(message)
        last = message
        time.sleep(controller.get_pause())


if __name__ == "__main__":
    main()
