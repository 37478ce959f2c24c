"""The local cloud's containers: what is listed, and what each of them is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import docker
import pytest

from local.containers import Containers


class Engine:
    """One whose containers may go while they are listed, as a real one's do."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.containers = SimpleNamespace(list=self._list, get=self._get)

    def ping(self) -> bool:
        return True

    def _list(self, **options: Any) -> list[Any]:
        self.asked.append(options)
        if not options.get("ignore_removed"):
            raise docker.errors.NotFound("it has gone")
        return []

    def _get(self, name: str) -> Any:
        raise docker.errors.NotFound(name)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr(docker, "from_env", lambda: engine)
    return engine


def test_a_container_that_goes_while_they_are_listed_is_no_error(engine: Engine) -> None:
    assert Containers("test").all() == []
    assert engine.asked[0]["filters"] == {"label": "timeservice.deployment=test"}


def test_only_the_controller_is_started_anew_for_another_share_of_the_machine(
    engine: Engine,
) -> None:
    plain = Containers("test", 8080)._wanted("image")
    slow = Containers("test", 8080, limits={"HOST_CPUS": "0.2"})._wanted("image")
    assert slow["controller"]["environment"]["HOST_CPUS"] == "0.2"
    assert "HOST_CPUS" not in plain["controller"]["environment"]
    assert {role for role in plain if plain[role] != slow[role]} == {"controller"}
