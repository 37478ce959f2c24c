"""The tests that run the commands of the documents."""

from __future__ import annotations

from tests.support.documented import Command

# The start of a command -> the file and the text in it that runs the command. The rehearsal of the
# documents runs all other commands.
OTHER_TESTS = {
    "make test": (".ci/run", "make test"),
    "make lint": ("Makefile", "test: lint scan ##"),
    "make unit": ("scripts/test.sh", "make --no-print-directory unit"),
    "make integration": ("scripts/test.sh", "make --no-print-directory integration"),
    "make down": ("tests/rehearsal/test_9_gone.py", 'clone.make("down")'),
    "git checkout COMMIT && make up": (
        "tests/rehearsal/test_3_change.py",
        "def test_rolling_back_",
    ),
    "make setup": ("Makefile", "unit: setup"),
    "make up CONFIG": ("tests/rehearsal/test_2_reviewer.py", '{"CONFIG": "reviewer=user"}'),
    "make reviewer": ("tests/rehearsal/test_2_reviewer.py", 'clone.make("reviewer")'),
    "make check": ("tests/rehearsal/test_1_up.py", "healthcheck([clone.url]) == 0"),
    "pipx run ": ("tests/healthcheck/test_package.py", '"install"'),
}
# Commands that begin like these run in a container with systemd and cron.
SYSTEMD = ("sudo ", "echo ", "sed ", "journalctl ", "URL=")


def find_other_test(command: Command) -> tuple[str, str] | None:
    """Return the file and the text in it that runs the command, if the rehearsal does not."""
    for start, place in OTHER_TESTS.items():
        if command.text.startswith(start):
            return place
    return None


def needs_systemd(command: Command) -> bool:
    return command.text.startswith(SYSTEMD)
