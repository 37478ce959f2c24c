"""Who runs the commands that the documentation shows."""

from __future__ import annotations

from tests.support.documented import Command

IN_TEST = "test: lint scan unit integration rehearsal ##"
# What a command begins with -> (file, what there runs it), where the rehearsal of the documentation does not.
ELSEWHERE = {
    "make test": (".ci/run", "make test"),
    "make lint": ("Makefile", IN_TEST),
    "make unit": ("Makefile", IN_TEST),
    "make integration": ("Makefile", IN_TEST),
    "make down": ("tests/rehearsal/test_9_gone.py", 'clone.make("down")'),
    "git checkout HEAD~ && make up": ("tests/rehearsal/test_3_change.py", "def test_rolling_back_"),
    "make setup": ("Makefile", "unit: setup"),
    "make up CONFIG": ("tests/rehearsal/test_2_reviewer.py", '{"CONFIG": "reviewer=user"}'),
    "make reviewer": ("tests/rehearsal/test_2_reviewer.py", 'clone.make("reviewer")'),
    "make check": ("tests/rehearsal/test_1_up.py", "healthcheck([clone.url]) == 0"),
    "pipx run ": ("tests/healthcheck/test_package.py", '"install"'),
}
# On a machine with systemd and cron: in a container that has what they call.
ON_A_MACHINE = ("sudo ", "echo ", "sed ", "journalctl ", "URL=")


def elsewhere(command: Command) -> tuple[str, str] | None:
    found = (where for start, where in ELSEWHERE.items() if command.text.startswith(start))
    return next(found, None)


def on_a_machine(command: Command) -> bool:
    return command.text.startswith(ON_A_MACHINE)
