"""The hosts' user data runs for real, with fakes of the commands that it calls."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.templates import the
from tests.support.waiting import PATIENCE

VALUES = {
    "AWS::Region": "eu-west-1",
    "ArtifactsBucket": "artifacts",
    "ImageKey": "images/0123456789ab.tar.gz",
    "Release": "0123456789ab",
    "WaitHandle": "https://signals.example/handle?X-Amz-Signature=a%2Fb&X-Amz-Expires=86399",
}

# Each fake writes its name and arguments to $CALLS, and then does what the script needs.
COMMANDS = {
    "curl": """
        case "$*" in
        *signals.example*) cat >>"$SIGNALS"; exit "${SIGNAL_STATUS:-0}" ;;
        *api/token*) echo token; exit "${PUT_STATUS:-0}" ;;
        *instance-id*) echo "${INSTANCE-i-0abc}"; exit "${METADATA_STATUS:-0}" ;;
        *availability-zone*) echo "${ZONE-eu-west-1a}" ;;
        *health*) printf '"state": "%s"' "${STATE-synchronised}" >"$3"; echo "${HEALTH:-200}" ;;
        esac""",
    # The script gives tee a second for the errors, which may be too short on a busy machine.
    "dnf": """
        printf '%s' "${DNF_ERRORS-}" >&2
        until [[ "$(cat "$TMPDIR"/*)" == *"${DNF_ERRORS-}" ]]; do /bin/sleep 0.01; done
        exit ${DNF_STATUS:-0}""",
    "systemctl": "",
    "aws": 'exit "${AWS_STATUS:-0}"',
    "chronyc": 'exit "${CHRONYC_STATUS:-0}"',
    "sleep": '[ "$1" != 15 ] || exit "${LAST_SLEEP_STATUS:-0}"',
    "docker": """
        case "$1" in
        load) cat >/dev/null; echo "${LOADED-Loaded image: timeservice:0123}" ;;
        run) touch "$CALLS.running"; exit "${RUN_STATUS:-0}" ;;
        inspect) test -e "$CALLS.running" && echo "${RESTARTS-0}" ;;
        logs) printf '%s' "$LOGS" >&2; exit "${LOGS_STATUS:-0}" ;;
        stop) exit "${LOGS_STATUS:-0}" ;;
        esac""",
}


SLEEP = 'sleep() { ELAPSED=$((ELAPSED + $1)); command sleep "$1"; }'


class Boot(NamedTuple):
    status: int
    output: str
    signals: list[dict[str, str]]
    calls: list[str]


Booting = Callable[..., Boot]


def script() -> str:
    sub: str = the("EC2::LaunchTemplate")["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    assert set(re.findall(r"\$\{([^}]+)\}", sub)) == set(VALUES)
    return re.sub(r"\$\{([^}]+)\}", lambda name: VALUES[name[1]], sub)


@pytest.fixture
def boot(tmp_path: Path) -> Booting:
    """Run the user data. Keyword arguments set what the fakes do."""
    for name, body in COMMANDS.items():
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f'#!/bin/bash\necho "{name} $*" >>"$CALLS"\n{body}\n')
        command.chmod(0o755)

    def run(**environment: str) -> Boot:
        calls, signals = tmp_path / "calls", tmp_path / "signals"
        temporary = tmp_path / "temporary"
        temporary.mkdir(exist_ok=True)
        # Only sleep takes time here, however busy the machine is. The longest wait is shortened.
        text = script().replace("SECONDS + 300", "ELAPSED + 3").replace("SECONDS >=", "ELAPSED >=")
        text = text.replace("set -Eeuo", f"ELAPSED=0; {SLEEP}; set -Eeuo", 1)
        text = text.replace("/run/health", str(tmp_path / "health"))
        for folder in ("/usr/local/sbin", "/etc/systemd/system"):
            text = re.sub(f"(>|[+]x ){folder}", rf"\g<1>{tmp_path}", text)
        done = subprocess.run(
            ["/bin/bash", "-c", text],
            env={
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "CALLS": str(calls),
                "TMPDIR": str(temporary),
                "SIGNALS": str(signals),
                "LOGS": "",
                **environment,
            },
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
        bodies = signals.read_text().splitlines() if signals.exists() else []
        return Boot(
            done.returncode,
            done.stdout + done.stderr,
            [json.loads(line) for line in bodies],
            calls.read_text().splitlines(),
        )

    return run


@pytest.mark.parametrize("part", ["all", "guard"])
def test_it_is_bash_without_a_fault(tmp_path: Path, part: str) -> None:
    file = tmp_path / "user-data.sh"
    file.write_text(guard_health() if part == "guard" else script())
    shellcheck = shutil.which("shellcheck", path=Path(sys.executable).parent)
    assert shellcheck, "shellcheck comes with the developer's packages"
    for command in (["bash", "-n"], [shellcheck]):
        done = subprocess.run([*command, file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_fits_into_user_data() -> None:
    assert len(script().encode()) < 16_384 - 1_024  # EC2's limit, and room for longer values


def test_a_good_boot_signals_success_once(boot: Booting) -> None:
    done = boot()
    assert done.status == 0, done.output
    assert done.signals == [
        {
            "Status": "SUCCESS",
            "UniqueId": "i-0abc",
            "Data": "0123456789ab",
            "Reason": "i-0abc serves 0123456789ab",
        }
    ]


METADATA = "curl -fsS --retry 5 --max-time 5"
TOKEN = (
    f"{METADATA} -X PUT http://169.254.169.254/latest/api/token "
    "-H X-aws-ec2-metadata-token-ttl-seconds: 60"
)
LATEST = f"{METADATA} -H X-aws-ec2-metadata-token: token http://169.254.169.254/latest/meta-data"
# The header is empty: the signature of the URL covers no Content-Type, so S3 refuses any.
SIGNAL = (
    f"curl -fsS --retry 3 --max-time 30 -X PUT -H Content-Type: --data-binary @- "
    f"{VALUES['WaitHandle']}"
)
DOCKER_RUN = (
    "docker run --detach --name timeservice --restart always "
    "--read-only --cap-drop ALL --security-opt no-new-privileges "
    "--shm-size 64k --ulimit msgqueue=0 "
    "--memory 256m --memory-swap 256m --pids-limit 64 "
    "--log-opt max-size=10m --log-opt max-file=3 "
    "--publish 80:8080 "
    "--env TIMESERVICE_INSTANCE=i-0abc --env TIMESERVICE_ZONE=eu-west-1a "
    "--env TIMESERVICE_VERSION=0123456789ab "
    "--env TIMESERVICE_TIME_SERVER=169.254.169.123 "
    "timeservice:0123"
)


INSTALL = "dnf install -y -q --setopt=install_weak_deps=False --disablerepo=kernel-livepatch docker"
RESTARTS = "docker inspect --format {{.RestartCount}} timeservice"


def test_a_good_boot_runs_exactly_these_commands(boot: Booting, tmp_path: Path) -> None:
    calls = boot().calls
    # The two ends of one pipe start in either order.
    calls[7:9] = sorted(calls[7:9])
    assert calls == [
        TOKEN,
        f"{LATEST}/instance-id",
        TOKEN,
        f"{LATEST}/placement/availability-zone",
        "systemctl stop amazon-ssm-agent.service dnf-makecache.timer",
        INSTALL,
        "systemctl enable --now docker",
        "aws s3 cp --region eu-west-1 --only-show-errors "
        "s3://artifacts/images/0123456789ab.tar.gz -",
        "docker load",
        "chronyc waitsync 120 0.1 0 1",
        DOCKER_RUN,
        RESTARTS,
        "sleep 1",
        f"curl -s -o {tmp_path}/health --max-time 5 -w %{{http_code}} http://127.0.0.1/health",
        "systemctl enable --now guard-health",
        "sleep 15",
        SIGNAL,
    ]


def test_a_failed_boot_stops_the_service_before_it_signals(boot: Booting) -> None:
    calls = boot(RUN_STATUS="125").calls
    after = calls[calls.index(DOCKER_RUN) + 1 :]
    assert after == [
        "sleep 1",
        "docker inspect timeservice",
        "docker logs --tail 20 timeservice",
        "docker stop timeservice",
        SIGNAL,
    ]


def test_the_shell_stops_at_the_first_error() -> None:
    assert "\nset -Eeuo pipefail\n" in script()


def test_no_metadata_is_asked_for_without_a_token(boot: Booting) -> None:
    """Without set -E, a command substitution continues after an error."""
    done = boot(PUT_STATUS="22")
    assert done.signals[0]["Status"] == "FAILURE"
    assert not any("meta-data" in call for call in done.calls)


def test_a_host_whose_clock_was_never_right_serves_nobody(boot: Booting) -> None:
    done = boot(CHRONYC_STATUS="1")
    assert done.signals[0]["Status"] == "FAILURE"
    assert "waiting for the clock to be synchronised" in done.signals[0]["Reason"]
    assert not any(call.startswith("docker run") for call in done.calls)


@pytest.mark.parametrize(
    ("trouble", "step"),
    [
        ({"METADATA_STATUS": "22"}, "asking the metadata service"),
        ({"DNF_STATUS": "1"}, "installing Docker"),
        ({"AWS_STATUS": "1"}, "loading the image from S3"),
        ({"LOADED": "Loaded image ID: sha256:0123"}, "loading the image from S3"),
        ({"RUN_STATUS": "125"}, "starting the service"),
        ({"CHRONYC_STATUS": "1"}, "waiting for the clock to be synchronised"),
        ({"HEALTH": "503"}, "waiting for /health to return 200"),
        ({"HEALTH": "000", "RESTARTS": "3"}, "waiting for /health to return 200"),
        ({"LAST_SLEEP_STATUS": "143"}, "waiting for the balancer's checks"),
    ],
    ids=str,
)
def test_a_failure_is_told_once_with_its_step_and_line(
    boot: Booting, trouble: dict[str, str], step: str
) -> None:
    done = boot(**trouble)
    assert done.status == 1
    (signal,) = done.signals
    assert signal["Status"] == "FAILURE"
    assert f"failed while {step} (line " in signal["Reason"]
    # The console's output has the reason as well.
    assert signal["Reason"].splitlines()[0] in done.output


def test_a_service_that_does_not_stay_up_fails_the_boot_without_a_wait(boot: Booting) -> None:
    done = boot(HEALTH="000", RESTARTS="3")
    assert "/health returned nothing after 3 restarts" in done.signals[0]["Reason"]
    assert not any("/health" in call for call in done.calls if call.startswith("curl -s "))


def test_a_release_that_cannot_reach_the_time_server_fails_and_serves_on(boot: Booting) -> None:
    done = boot(STATE="server_silent")
    (signal,) = done.signals
    assert signal["Status"] == "FAILURE"
    assert "waiting for the service to be synchronised" in signal["Reason"]
    assert "server_silent" in signal["Reason"]
    assert "docker stop timeservice" not in done.calls


def test_the_aws_cli_asks_for_credentials_more_than_once() -> None:
    (words,) = re.findall(r"export (AWS_METADATA.+)", script())
    assert dict(word.split("=") for word in words.split()) == {
        "AWS_METADATA_SERVICE_TIMEOUT": "5",
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "5",
        "AWS_MAX_ATTEMPTS": "5",
    }


def test_the_line_told_is_the_line_that_failed(boot: Booting) -> None:
    reason = boot(DNF_STATUS="1").signals[0]["Reason"]
    match = re.search(r"line (\d+): (.+)\)", reason)
    assert match
    assert script().splitlines()[int(match[1]) - 1] == match[2] == INSTALL


def test_a_service_that_never_gets_healthy_has_the_last_word(boot: Booting) -> None:
    words = 'Traceback (most recent call last):\n\tFile "app.py"\nOSError: \\ "quoted" \u00e4'
    done = boot(HEALTH="503", LOGS=words)
    reason = done.signals[0]["Reason"]
    assert "/health returned 503" in reason
    assert reason.endswith(words)
    assert "docker stop timeservice" in done.calls  # so that the group replaces the host


def test_a_service_that_does_not_start_tells_the_cause_as_lines_and_not_that_it_does_not(
    boot: Booting,
) -> None:
    cause = {
        "level": "error",
        "message": "Exception in worker process",
        "traceback": "Traceback (most recent call last):\n  import flask\nNo module named 'flask'",
    }
    words = f"{json.dumps(cause)}\n" + '{"message": "Worker exiting"}\n' * 6
    reason = boot(HEALTH="000", LOGS=words).signals[0]["Reason"]
    lines = ["Exception in worker process", *cause["traceback"].splitlines()]
    assert reason.splitlines()[1:] == ["the service's last lines:", *lines]


def test_the_reason_in_the_operator_s_page_is_what_a_host_reports(boot: Booting) -> None:
    page = Path("docs/operations.md").read_text()
    (block,) = re.findall(r"```\n(i-.+?)\n```", page, re.DOTALL)
    first, *rest = block.splitlines()
    # gunicorn prints an error of its worker's module in brackets.
    log = "\n".join(["", "[Traceback (most recent call last):", *rest[1:], "]"])
    reason = boot(INSTANCE=first.split()[0], HEALTH="000", RESTARTS="3", LOGS=log)
    reported, *lines = reason.signals[0]["Reason"].splitlines()
    assert lines == rest
    known = first.replace("returned 000", "returned nothing")
    assert re.sub(r"line \d+", "line", reported) == re.sub(r"line \d+", "line", known)


def test_a_reason_stays_below_a_kilobyte_and_keeps_the_end_of_the_log_in_whole_words(
    boot: Booting,
) -> None:
    reason = boot(HEALTH="503", LOGS="\u00e4hnlich " * 1_000 + "the cause").signals[0]["Reason"]
    assert len(reason.encode()) < 1_024
    assert "failed while waiting for /health" in reason
    words = reason.splitlines()[-1].removeprefix("...").split()
    assert words[-2:] == ["the", "cause"]
    assert set(words[:-2]) == {"\u00e4hnlich"}


def test_the_console_shows_each_step_by_its_name_and_then_that_the_host_serves(
    boot: Booting,
) -> None:
    steps = re.findall(r"^step: (.+)$", boot().output, re.MULTILINE)
    assert steps == [*re.findall(r'^step "([^"$]+)"$', script(), re.MULTILINE)]
    assert steps[1] == "installing Docker"
    assert steps[-1] == "serving"
    failed = re.findall(r"^step: (.+)$", boot(DNF_STATUS="1").output, re.MULTILINE)
    assert failed[-1] == "failed while installing Docker"


def guard_health() -> str:
    """The guard's script, as the user data writes it."""
    _, _, rest = script().partition("guard-health <<'END'\n")
    return rest.partition("\nEND\n")[0]


class Guard(NamedTuple):
    steps: list[str]
    calls: list[str]


@pytest.fixture
def guard(tmp_path: Path) -> Callable[..., Guard]:
    """Run the guard with a host whose /health responds as listed: 1 is healthy, 0 is not.

    The guard runs until there is no response left. restart: status of docker restart.
    """
    fakes = {
        "curl": 'read -r healthy <&3 || kill "$PPID"; exit $((1 - healthy))',
        "sleep": '[ "$1" = 15 ] || echo "sleep $1" >>"$CALLS"',
        "docker": 'echo "docker $*" >>"$CALLS"; exit "$RESTART"',
        "systemctl": 'echo "systemctl $*" >>"$CALLS"',
    }
    for name, body in fakes.items():
        command = tmp_path / name
        command.write_text(f"#!/bin/bash\n{body}\n")
        command.chmod(0o755)

    def run(responses: list[int], turn: int = 300, restart: int = 0) -> Guard:
        calls, health = tmp_path / "calls", tmp_path / "responses"
        calls.write_text("")
        health.write_text("".join(f"{response}\n" for response in responses))
        with health.open() as file:
            text = f"exec 3<&{file.fileno()}\n{guard_health()}"
            done = subprocess.run(
                ["/bin/bash", "-c", text, "guard", str(turn)],
                env={
                    "PATH": f"{tmp_path}:{os.environ['PATH']}",
                    "CALLS": str(calls),
                    "RESTART": str(restart),
                },
                pass_fds=[file.fileno()],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        return Guard(done.stdout.splitlines(), calls.read_text().splitlines())

    return run


ILL = [0] * 8  # two minutes
RESTART = "docker restart timeservice"


def test_a_service_that_is_ill_for_two_minutes_is_restarted(guard: Callable[..., Guard]) -> None:
    done = guard([1, 1, *ILL, 1])
    assert done.calls == [RESTART]
    assert done.steps == [
        "step: restarting the service, because 8 checks of /health have failed",
        "step: serving",
    ]


def test_a_service_that_is_ill_for_less_is_left_alone(guard: Callable[..., Guard]) -> None:
    assert guard([*ILL[1:], 1, *ILL[1:], 1]).calls == []


@pytest.mark.parametrize("restart", [0, 1], ids=["restarts in vain", "cannot be restarted"])
def test_a_host_that_a_restart_does_not_help_ends_itself_in_its_turn(
    guard: Callable[..., Guard], restart: int
) -> None:
    done = guard([*ILL, *ILL, 0, 1], turn=307, restart=restart)
    assert done.calls == [RESTART, "sleep 307", "systemctl poweroff"]
    assert re.fullmatch(
        r"step: ending this host at \d\d:\d\d:\d\d UTC, because a restart did not help",
        done.steps[-1],
    )


def test_a_host_that_recovers_before_its_turn_stays(guard: Callable[..., Guard]) -> None:
    done = guard([*ILL, *ILL, 1])
    assert done.calls == [RESTART, "sleep 300"]
    assert done.steps[-1] == "step: serving"


@pytest.mark.parametrize(("zone", "first"), [("eu-west-1a", 0), ("eu-west-1b", 300)])
def test_zones_end_their_ill_hosts_five_minutes_apart(
    boot: Booting, tmp_path: Path, zone: str, first: int
) -> None:
    assert boot(ZONE=zone).status == 0
    unit = ConfigParser()
    unit.read(tmp_path / "guard-health.service")
    command, turn = unit["Service"]["ExecStart"].split()
    assert command == "/usr/local/sbin/guard-health"
    # The hosts of a zone share two minutes, and the next zone begins three minutes later.
    assert first <= int(turn) < first + 120
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["StandardOutput"] == "journal+console"
    assert unit["Unit"]["After"] == "docker.service"
    # systemd starts the guard after a reboot too.
    assert unit["Install"]["WantedBy"] == "multi-user.target"


@pytest.mark.parametrize(
    ("trouble", "guarded"),
    [
        ({"STATE": "server_silent"}, True),
        ({"HEALTH": "503"}, False),
        ({"HEALTH": "000", "RESTARTS": "3"}, False),
    ],
    ids=str,
)
def test_only_a_host_that_was_ready_guards_itself(
    boot: Booting, trouble: dict[str, str], guarded: bool
) -> None:
    """The guard would start the service that a failed boot has stopped."""
    assert ("systemctl enable --now guard-health" in boot(**trouble).calls) is guarded


def test_a_failure_is_told_even_when_docker_fails_as_well(boot: Booting) -> None:
    (signal,) = boot(RUN_STATUS="125", LOGS_STATUS="1").signals
    assert "failed while starting the service" in signal["Reason"]


def test_a_failure_while_a_failure_is_reported_makes_no_second_signal(boot: Booting) -> None:
    (signal,) = boot(HEALTH="503", LOGS_STATUS="1").signals
    assert "/health returned 503" in signal["Reason"]


def test_the_reason_has_the_last_errors_of_the_command_that_failed(boot: Booting) -> None:
    errors = "one\ntwo\nthree\nNo match for argument: docker"
    reason = boot(DNF_STATUS="1", DNF_ERRORS=errors).signals[0]["Reason"]
    assert reason.endswith("\nlast error:\ntwo\nthree\nNo match for argument: docker")


def test_a_signal_that_nobody_takes_does_not_fail_the_boot(boot: Booting) -> None:
    """The URL has expired when a host is started weeks after its release."""
    done = boot(SIGNAL_STATUS="22")
    assert done.status == 0
    assert "was refused" in done.output


def test_the_port_is_the_one_that_the_service_listens_on() -> None:
    """Host port of the target group -> port that gunicorn binds to in the container."""
    bound = re.search(r'"0\.0\.0\.0:(\d+)"', Path("service/gunicorn.conf.py").read_text())
    assert bound
    port: Any = the("ElasticLoadBalancingV2::TargetGroup")["Port"]
    assert f"--publish {port}:{bound[1]}" in script()
