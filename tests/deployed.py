"""The program, deployed into an AWS API without hosts: what it makes is there to be asked about, and to be changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import requests

import deployment.release
from deployment.release import Archive
from local import program
from local.api import client_of
from tests.ministack import ministack


@contextmanager
def api(folder: Path) -> Iterator[str]:
    """Its URL. Archives are small, and of no sources: what is in them plays no part."""
    with ministack(folder) as url, archives(folder):
        deploy(url, reviewer="user")
        yield url


@contextmanager
def archives(folder: Path) -> Iterator[None]:
    """Stand-ins for what make image and make package make."""
    found = {
        kind: Archive(folder / kind, digit * 12)
        for kind, digit in (("image", "1"), ("package", "2"))
    }
    for one in found.values():
        one.path.write_bytes(b"of no use")
    with mock.patch.object(deployment.release, "archive", found.__getitem__):
        yield


def deploy(url: str, **settings: str) -> None:
    over = threading.Event()
    hosts = threading.Thread(target=_signal, args=(url, over))
    hosts.start()
    try:
        program.run(url, settings)
    finally:
        over.set()
        hosts.join()


def _signal(url: str, over: threading.Event) -> None:
    """What two hosts would say to each wait condition."""
    cloudformation = client_of(url)("cloudformation")
    while not over.wait(0.05):
        for stack in cloudformation.describe_stacks()["Stacks"]:
            if stack["StackStatus"] != "CREATE_IN_PROGRESS":
                continue
            found = cloudformation.describe_stack_resources(StackName=stack["StackName"])
            for one in found["StackResources"]:
                handle = one.get("PhysicalResourceId", "")
                if one["ResourceType"].endswith("WaitConditionHandle") and handle:
                    for host in ("i-1", "i-2"):
                        said = {"Status": "SUCCESS", "UniqueId": host, "Data": "", "Reason": ""}
                        requests.put(handle, data=json.dumps(said), timeout=5)
