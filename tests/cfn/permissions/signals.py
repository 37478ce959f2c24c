"""Send the signals that a wait condition needs, for deployments without hosts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from tests.cfn.permissions.emulator import Emulator
from tests.support.waiting import PATIENCE


@contextmanager
def hosts_signal(emulator: Emulator, status: str = "SUCCESS") -> Iterator[None]:
    """Send the signals of two hosts to each handle. status: SUCCESS or FAILURE."""
    over = threading.Event()
    signaller = threading.Thread(target=_signal, args=(emulator, status, over))
    signaller.start()
    try:
        yield
    finally:
        over.set()
        signaller.join()


def _signal(emulator: Emulator, status: str, over: threading.Event) -> None:
    cloudformation = emulator.client("cloudformation")
    while not over.wait(0.05):
        for stack in cloudformation.describe_stacks()["Stacks"]:
            for resource in cloudformation.describe_stack_resources(StackName=stack["StackId"])[
                "StackResources"
            ]:
                url = str(resource.get("PhysicalResourceId"))
                if resource["LogicalResourceId"] == "WaitHandle" and url.startswith("http"):
                    for host in ("i-1", "i-2"):
                        signal = {
                            "Status": status,
                            "UniqueId": host,
                            "Reason": "no reason",
                            "Data": "",
                        }
                        requests.put(url, data=json.dumps(signal), timeout=PATIENCE)
