"""Every failure that a tool tells a person has its remedy in docs/failures.md, and every remedy its failure.

Looked for in the sources, wherever a module stands: what is raised as an error of our own, as argparse's or Pulumi's,
what ends a program or a script, what a check says of a service, and where a host's user data may fail. Left out is what
drills and tests say of a promise that does not hold, and what the service answers to a request.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.templates import launch_template

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "failures.md"
TOOLS = ("ops", "bench", "deployment", "drills", "healthcheck", "local", "scan")
SOURCES = [
    ROOT / "__main__.py",
    ROOT / "sntp.py",
    *(path for tool in TOOLS for path in (ROOT / tool).rglob("*.py")),
]
SCRIPTS = [ROOT / "Makefile", *(ROOT / "scripts").glob("*.sh")]
OTHERS = {
    *("ValueError", "RuntimeError"),
    "ArgumentTypeError",
    "RunError",
    "SystemExit",
    "error",
    "complain",
    "warn",
    "Trouble",
    "Verdict",
}
INTERNAL = {"NotKnown", "TooLong"}  # caught, and never told by themselves
BEFORE = {"Trouble": 1, "Verdict": 2}  # arguments, ahead of the text
FAILURE = re.compile(r"\s*(error: |could not |no check was made|metrics not written)")
LONGEST = 80  # characters of a message that the table repeats


def shortened(message: str) -> str:
    """As the table has it: `…` for what differs, in one line, no longer than it takes to find it."""
    text = re.sub(r"[\s…]*…[\s…]*…", " …", " ".join(message.split())).removeprefix("error: ")
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST].rsplit(" ", 1)[0].rstrip("…,;:( ") + " …"


def text_of(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be, with `…` for what is put in; none if there is nothing else in it."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(
                next(text_of(one), "…") if isinstance(one, ast.Constant) else "…" for one in parts
            )
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            yield from (text + next(text_of(right), "…") for text in text_of(left))
        case ast.IfExp(body=body, orelse=orelse):
            yield from text_of(body)
            yield from text_of(orelse)


def own_errors(trees: list[ast.Module]) -> set[str]:
    """Names of the exceptions that the project defines, and of those that are derived from them."""
    bases = {
        one.name: {ast.unparse(base) for base in one.bases}
        for tree in trees
        for one in ast.walk(tree)
        if isinstance(one, ast.ClassDef)
    }
    found: set[str] = set()
    while (
        more := {
            name
            for name, its in bases.items()
            if its & found or any(base.endswith(("Error", "Exception")) for base in its)
        }
        - found
    ):
        found |= more
    return found


def told(tree: ast.Module, errors: set[str]) -> Iterator[str]:
    """What a module can say when something fails."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rsplit(".", 1)[-1]
            texts = [list(text_of(argument)) for argument in node.args]
            if name == "Verdict" and texts[0] == ["OK"]:
                continue
            if name in errors:
                for one in texts[BEFORE.get(name, 0) :][:1]:
                    yield from (text for text in one if not text.startswith("… state:"))
            elif name == "print":
                yield from (text for one in texts[:1] for text in one if FAILURE.match(text))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            if target in ("detail", "NEEDED", "LATE"):
                yield from text_of(node.value)
            if target in ("CAUSES", "rules") and isinstance(node.value, ast.Tuple | ast.List):
                rows = [row for row in node.value.elts if isinstance(row, ast.Tuple)]
                yield from (text for row in rows for text in text_of(row.elts[-1]))


def said_by_scripts() -> Iterator[str]:
    for path in SCRIPTS:
        for die in re.findall(
            r'(?:die|echo) "((?:error: |(?<=die "))(?:[^"\\]|\\.)*)"', path.read_text()
        ):
            plain = re.sub(r"\$\([^)]*\)|\$\{[^}]*\}|\$\w+", "…", die.replace('\\"', '"'))
            yield plain


def said_by_hosts() -> Iterator[str]:
    script = launch_template()["UserData"]["Fn::Base64"]["Fn::Sub"]
    yield from (
        f"… failed while {step}" for step in re.findall(r'^step="(.+)"$', script, re.MULTILINE)
    )
    yield from re.findall(r'"(/health said) ', script)
    yield from re.findall(r'echo "(signal) \$1 ', script)


def failures() -> set[str]:
    trees = [ast.parse(path.read_text()) for path in SOURCES]
    errors = own_errors(trees) - INTERNAL | OTHERS
    everything = [
        *(text for tree in trees for text in told(tree, errors)),
        *said_by_scripts(),
        *said_by_hosts(),
    ]
    return {text for one in everything if re.search(r"[a-z]{3}", text := shortened(one))}


def remedies() -> list[str]:
    """The messages of the table, in its order."""
    rows = re.findall(r"^\| (`+) ?(.+?) ?\1 \| (.+) \|$", TABLE.read_text(), re.MULTILINE)
    return [message.replace("\\|", "|") for _, message, _ in rows]


def test_every_failure_has_its_remedy() -> None:
    assert failures() - set(remedies()) == set()


def test_every_remedy_has_its_failure() -> None:
    assert set(remedies()) - failures() == set()


def test_no_failure_is_told_twice() -> None:
    told_twice = [one for one in remedies() if remedies().count(one) > 1]
    assert told_twice == []
