"""What is accepted in templates, and how the scans end; the scanners themselves are tried in tests/scripts/scanners."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployment.template import Template
from scan import __main__ as program
from scan.policies import Finding
from scan.templates import acceptances, rendered
from scan.tools import Broken, Report, run_for_json

TEMPLATE = Template("""
Metadata: { checkov: { skip: [{ id: CKV_1, comment: For all of them. }] } }
Parameters:
  Size: { Type: String, Default: small }
  Name: { Type: String }
Resources:
  Bucket: # checkov:skip=CKV_2:in a comment
    Type: AWS::S3::Bucket
    Metadata:
      checkov: { skip: [{ id: CKV_3, comment: There is a reason. }] }
      guard: { skip: [{ id: CT.4 }] }
    Properties:
      Size: !Ref Size
      Names: [!Ref Name, !GetAtt Other.Endpoint.Port]
""")


def test_only_what_stands_beside_a_resource_is_accepted() -> None:
    assert acceptances({"part": TEMPLATE}) == {
        Finding("part", "Bucket", "checkov", "CKV_3"): "There is a reason.",
        Finding("part", "Bucket", "guard", "CT.4"): "",
    }


def test_scanners_get_what_cloudformation_gets_and_nothing_that_is_accepted() -> None:
    assert rendered(TEMPLATE) == {
        "Parameters": TEMPLATE.parameters,
        "Resources": {
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "Size": "small",
                    "Names": [{"Ref": "Name"}, {"Fn::GetAtt": ["Other", "Endpoint.Port"]}],
                },
            }
        },
    }


def broken(_: Path) -> Report:
    raise Broken("the scanner is ill")


@pytest.mark.parametrize(
    ("scans", "status", "out", "error"),
    [
        ({"a": Report([], ["looked"])}, 0, "  a: looked\n", ""),
        (
            {"a": Report(["x is wrong", "y too"], ["looked"]), "b": Report([], ["fine"])},
            1,
            "  a: looked\n    x is wrong\n    y too\n  b: fine\n",
            "error: 2 to mend, or to accept with a reason",
        ),
        ({"a": broken}, 2, "", "error: a: the scanner is ill"),
    ],
    ids=["clean", "findings", "broken"],
)
def test_the_exit_status_is_of_the_findings(
    scans: dict[str, object], status: int, out: str, error: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    ready = {
        name: (one if callable(one) else lambda _, one=one: one) for name, one in scans.items()
    }
    monkeypatch.setattr(program, "SCANS", ready)
    assert program.main([]) == status
    said = capsys.readouterr()
    assert said.out == out
    assert error in said.err


def test_a_scan_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["everything"])
    assert ended.value.code == 2
    assert (
        "no such scan: everything; there are templates, secrets, packages"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["/nowhere/checkov"], "/nowhere/checkov is not there: run `make scan`"),
        (
            ["sh", "-c", "echo '{}'; echo out of memory >&2; exit 9"],
            "sh ended with 9: out of memory",
        ),
        (["sh", "-c", "echo no JSON"], "sh ended with 0: no JSON"),
    ],
    ids=["missing", "failed", "mute"],
)
def test_a_scanner_that_does_not_work_is_no_clean_result(
    command: list[str | Path], why: str, tmp_path: Path
) -> None:
    with pytest.raises(Broken, match=r".") as raised:
        run_for_json(command, tmp_path, statuses=(0,))
    assert str(raised.value) == why


def test_scanners_see_no_home_folder_and_no_variables_of_somebodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CKV_SKIP_ALL", "1")
    monkeypatch.setenv("https_proxy", "http://proxy.example.org")
    script = "import json, os; print(json.dumps(dict(os.environ, CWD=os.getcwd())))"
    seen = run_for_json(["/usr/bin/env", "python3", "-c", script], tmp_path, statuses=(0,))
    assert (seen["HOME"], seen["CWD"], seen["https_proxy"]) == (
        str(tmp_path),
        str(tmp_path),
        "http://proxy.example.org",
    )
    assert "CKV_SKIP_ALL" not in seen
