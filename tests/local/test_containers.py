"""The local cloud's containers: what is listed, and what each of them is given."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest
import requests

from deployment.errors import UserError
from local import containers, launch
from local.containers import LABEL, Containers, connect


class Engine:
    """An engine whose containers may go during the listing, as in a real engine."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.named: dict[str, dict[str, str]] = {}
        self.containers = SimpleNamespace(list=self._list, get=self._get)
        self.networks: Any = SimpleNamespace()
        self.volumes: Any = SimpleNamespace()
        self.api: Any = SimpleNamespace(create_endpoint_config=dict)

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
    monkeypatch.setattr(containers, "connect", lambda: engine)
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
        setattr(engine, kind, SimpleNamespace(list=lambda *_, filters: things))
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
    engine.networks.get = lambda _: SimpleNamespace(connect=lambda *_, **__: None)
    cloud = Containers("test", 8080)
    for role, spec in launch.get_specs(cloud, "image").items():
        launch._start(cloud, role, spec)
    assert [options["use_config_proxy"] for options in created] == [False] * 4


def test_no_request_to_the_engine_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxy and engine are both our servers, and only the engine may get requests."""
    asked: dict[str, list[str]] = {"engine": [], "proxy": []}

    def serve(name: str) -> HTTPServer:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked[name].append(self.path)
                self.send_response(200)
                self.send_header("API-Version", "1.41")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    with serve("engine") as engine, serve("proxy") as proxy:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{engine.server_port}")
        for variable in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.server_port}")
        for variable in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        client = connect()
        client.version()
        engine.shutdown()
        proxy.shutdown()
    assert asked == {"engine": ["/_ping", "/v1.41/version"], "proxy": []}
    # By default 60 s, in which a busy engine may not remove a container.
    assert client.api.timeout == 300


def test_another_s_volume_of_our_name_is_refused_though_the_engine_hands_it_over(
    engine: Engine,
) -> None:
    labels = {LABEL: "test"}
    volume = SimpleNamespace(name="test-run", attrs={"Labels": labels})
    engine.volumes.create = lambda name, labels: volume
    launch.create_volume(Containers("test", 8080), "run")
    volume.attrs = {"Labels": None}
    with pytest.raises(UserError, match="the volume test-run belongs to something else; remove"):
        launch.create_volume(Containers("test", 8080), "run")


def test_another_s_network_or_container_of_our_name_is_refused(
    running: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    Parts(monkeypatch, running, "image").parts.clear()

    def refuse(*_: object) -> None:
        raise refusal(409)

    monkeypatch.setattr(launch, "create_network", refuse)
    with pytest.raises(UserError, match="choose another name and port"):
        launch.start(running, "image")


def test_no_second_network_of_a_name_is_made(engine: Engine) -> None:
    """Some engines would make a second network of that name, and attach containers to either."""
    created: list[dict[str, Any]] = []
    engine.networks.create = lambda name, **options: created.append(options)
    launch.create_network(Containers("test", 8080), "edge")
    assert created[0]["check_duplicate"] is True


@pytest.mark.parametrize(
    "message",
    [
        "could not find an available, non-overlapping IPv4 address pool among the defaults",
        "all predefined address pools have been fully subnetted",
    ],
)
def test_an_engine_with_too_many_networks_is_named_with_a_remedy(
    engine: Engine, message: str
) -> None:
    def refuse(*_: object, **options: object) -> None:
        raise docker.errors.APIError("404 Client Error", explanation=message)

    engine.networks.create = refuse
    with pytest.raises(UserError, match=r"no addresses for another network.*docker network prune"):
        launch.create_network(Containers("test", 8080), "edge")


def report(monkeypatch: pytest.MonkeyPatch, text: str) -> Containers:
    cloud = Containers("test", 8080)
    monkeypatch.setattr(cloud, "run", lambda *_: text)
    return cloud


def test_a_report_is_trusted_while_it_is_young(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = report(monkeypatch, '1010\n1000\n[{"state": "healthy"}]')
    assert cloud.hosts() == [{"state": "healthy"}]
    assert not cloud.is_controller_late()


def test_an_old_report_is_an_error_because_a_dead_host_would_be_healthy_in_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = report(monkeypatch, '1090\n1000\n[{"state": "healthy"}]')
    assert cloud.is_controller_late()
    with pytest.raises(UserError, match="the controller has reported nothing for 90 s"):
        cloud.hosts()


def test_before_the_first_report_there_are_no_hosts(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = report(monkeypatch, "")
    assert cloud.hosts() == []
    assert not cloud.is_controller_late()


class Parts:
    """Parts that run, of one image, and the roles that are started."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cloud: Containers, image: str) -> None:
        self.started: list[str] = []
        self.removed = 0
        self.late = False
        self.gone: set[str] = set()
        specs = launch.get_specs(cloud, image)
        self.parts = {
            role: SimpleNamespace(
                status="running",
                labels={LABEL: "test", "timeservice.spec": json.dumps(spec)},
                attrs={"Config": {"Image": image}},
            )
            for role, spec in specs.items()
        }
        monkeypatch.setattr(cloud, "get", self.parts.get)
        monkeypatch.setattr(cloud, "remove", self._remove)
        monkeypatch.setattr(cloud, "is_controller_late", lambda: self.late)
        monkeypatch.setattr(launch, "_check_powers", lambda *_: None)
        monkeypatch.setattr(launch, "create_network", lambda *_: None)
        monkeypatch.setattr(launch, "create_volume", lambda *_: None)
        monkeypatch.setattr(launch, "_start", lambda _, role, __: self.started.append(role))

    def _remove(self) -> None:
        self.removed += 1


@pytest.fixture
def running(engine: Engine) -> Containers:
    engine.networks.list = lambda filters: []
    return Containers("test", 8080)


@pytest.mark.parametrize(
    ("role", "script", "output"),
    [
        ("controller", 'echo "$@"', "exec --interactive id-of-controller date\n"),
        ("controller", "echo half; exit 1", ""),
        ("controller", "exec /bin/sleep 60", ""),
        ("api", 'echo "$@"', ""),
    ],
    ids=["prints", "fails", "hangs", "does not run"],
)
def test_a_command_in_a_part_is_run_by_the_docker_client(
    running: Containers,
    role: str,
    script: str,
    output: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """docker-py lost the output of 2 of 100 commands while the machine was busy."""
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if "sleep" in script:
        monkeypatch.setattr(containers, "COMMAND_SECONDS", 1)
    part = SimpleNamespace(id="id-of-controller")
    monkeypatch.setattr(running, "get_running", {"controller": part}.get)
    assert running.run(role, "date") == output


def test_what_runs_is_left_alone(running: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(monkeypatch, running, "image")
    assert launch.start(running, "image") is False
    assert parts.started == []


def test_an_api_that_was_killed_is_started_again_and_nothing_else(
    running: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API has saved what is deployed, and hosts and balancer continue to serve."""
    parts = Parts(monkeypatch, running, "image")
    parts.parts["api"].status = "exited"
    assert launch.start(running, "image") is True
    assert (parts.started, parts.removed) == (["api"], 0)
    api = launch.get_specs(running, "image")["api"]
    assert api["environment"]["STATE_DIR"] in [volume["bind"] for volume in api["volumes"].values()]


@pytest.mark.parametrize("fault", ["late", "paused"])
def test_a_controller_that_hangs_is_started_again(
    running: Containers, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts(monkeypatch, running, "image")
    if fault == "late":
        parts.late = True
    else:
        parts.parts["controller"].status = "paused"
    assert launch.start(running, "image") is True
    assert (parts.started, parts.removed) == (["controller"], 0)


def test_a_new_balancer_gets_a_new_controller_whose_report_is_of_its_servers(
    running: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts(monkeypatch, running, "image")
    running.port = 8081
    launch.start(running, "image")
    assert parts.started == ["balancer", "controller"]
    (command,) = [
        part["command"]
        for role, part in launch.get_specs(running, "image").items()
        if role == "controller"
    ]
    assert f"rm -f {containers.REPORT}" in command[-1]


def test_another_version_of_the_local_cloud_is_announced_and_replaces_everything(
    running: Containers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = Parts(monkeypatch, running, "image")
    launch.start(running, "another")
    assert (parts.started, parts.removed) == (["api", "time", "balancer", "controller"], 1)
    assert "the local cloud itself has changed" in capsys.readouterr().out


def test_a_clone_that_takes_a_deployment_over_starts_a_controller_that_names_it(
    running: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts(monkeypatch, running, "image")
    monkeypatch.setattr(launch, "ROOT", "/elsewhere")
    launch.start(running, "image")
    assert parts.started == ["controller"]
