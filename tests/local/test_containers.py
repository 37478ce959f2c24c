"""The local cloud's containers: what is listed, and what each of them is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import docker
import pytest
import requests

from deployment.errors import UserError
from local import launch
from local.containers import LABEL, Containers


class Engine:
    """An engine whose containers may go during the listing, as in a real engine."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.named: dict[str, dict[str, str]] = {}
        self.containers = SimpleNamespace(list=self._list, get=self._get)

    def ping(self) -> bool:
        return True

    def _list(self, **options: Any) -> list[Any]:
        self.requests.append(options)
        if not options.get("ignore_removed"):
            raise docker.errors.NotFound("it has gone")
        return []

    def _get(self, name: str) -> Any:
        if name in self.named:
            return SimpleNamespace(name=name, labels=self.named[name], status="running")
        raise docker.errors.NotFound(name)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr(docker, "from_env", lambda: engine)
    return engine


def test_a_container_that_goes_while_they_are_listed_is_no_error(engine: Engine) -> None:
    assert Containers("test").all() == []
    assert engine.requests[0]["filters"] == {"label": "timeservice.deployment=test"}


def test_only_the_controller_is_started_anew_for_another_share_of_the_machine(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_CPUS", "")
    monkeypatch.delenv("HOST_MEMORY", raising=False)
    plain = launch.get_specs(Containers("test", 8080), "image")
    monkeypatch.setenv("HOST_CPUS", "0.2")
    slow = launch.get_specs(Containers("test", 8080), "image")
    assert slow["controller"]["environment"]["HOST_CPUS"] == "0.2"
    assert "HOST_CPUS" not in plain["controller"]["environment"]
    assert {role for role in plain if plain[role] != slow[role]} == {"controller"}


def refusal(status: int) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = status
    return docker.errors.APIError("x", response)


def test_a_container_of_that_name_that_is_another_s_is_not_taken_for_ours(engine: Engine) -> None:
    engine.named = {"test-api": {}, "test-balancer": {LABEL: "tests"}, "test-time": {LABEL: "test"}}
    cloud = Containers("test", 8080)
    with pytest.raises(UserError, match=r"\(no api, no balancer, no controller\)"):
        cloud.check_up()


def test_what_somebody_else_uses_stays_and_the_rest_goes(engine: Engine) -> None:
    removed: list[str] = []

    def thing(name: str, used: bool) -> Any:
        def remove(**_: Any) -> None:
            if used:
                raise refusal(409)
            removed.append(name)

        return SimpleNamespace(remove=remove)

    things = [thing("a", used=True), thing("b", used=False)]
    for kind in ("volumes", "networks", "images"):
        setattr(engine, kind, SimpleNamespace(list=lambda filters: things))
    cloud = Containers("test", 8080)
    cloud.remove()
    cloud.remove_images()
    assert removed == ["b"] * 4  # a volume, a network, and an image by each of its labels


def test_no_container_gets_the_proxies_of_the_user_s_docker_configuration(engine: Engine) -> None:
    created: list[dict[str, Any]] = []

    def create(**options: Any) -> Any:
        created.append(options)
        return SimpleNamespace(start=lambda: None)

    engine.containers.create = create
    engine.api = SimpleNamespace(create_endpoint_config=dict)  # type: ignore[attr-defined]
    networks = SimpleNamespace(get=lambda _: SimpleNamespace(connect=lambda *_, **__: None))
    engine.networks = networks  # type: ignore[attr-defined]
    cloud = Containers("test", 8080)
    for role, spec in launch.get_specs(cloud, "image").items():
        launch._start(cloud, role, spec)
    assert [options["use_config_proxy"] for options in created] == [False] * 4
