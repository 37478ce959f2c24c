"""A value is judged as CloudFormation would judge it, before CloudFormation sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployment import template as module
from deployment.errors import UserError
from deployment.template import Template, read_template

TEMPLATE = """
Parameters:
  Count: {Type: Number, MinValue: 1, MaxValue: 9, ConstraintDescription: Must be a digit but 0.}
  Any: {Type: Number}
  Choice: {Type: String, AllowedValues: [small, large]}
  Text:
    {Type: String, MinLength: 3, MaxLength: 5, ConstraintDescription: Must be 3 to 5 characters.}
  Id:
    Type: String
    AllowedPattern: "id-[0-9]+"
    ConstraintDescription: "Must be an id, such as id-7."
  Free: {Type: String}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${Free}-x"
      Tags: [{Key: all, Value: !Join [",", [!Ref Id, !GetAtt Other.Arn]]}]
      Extra: !Transform {Name: AWS::Include, Parameters: {Location: !Ref Free}}"""


@pytest.fixture
def template() -> Template:
    return Template(TEMPLATE)


@pytest.mark.parametrize(
    ("parameter", "value", "complaint"),
    [
        ("Count", "1", None),
        ("Count", "9", None),
        ("Count", "0", "must be a digit but 0"),
        ("Count", "10", "must be a digit but 0"),
        ("Count", "-1", "must be a digit but 0"),
        ("Count", "one", "must be a digit but 0"),
        ("Count", "", "must be a digit but 0"),
        ("Any", "-42", None),
        ("Any", "x", "must be a whole number"),
        ("Choice", "large", None),
        ("Choice", "Large", "must be one of small, large"),
        ("Text", "abc", None),
        ("Text", "ab", "must be 3 to 5 characters"),
        ("Text", "abcdef", "must be 3 to 5 characters"),
        ("Id", "id-42", None),
        ("Id", "an id-42", "must be an id, such as id-7"),
        ("Id", "id-42\n", "must be an id, such as id-7"),
        ("Free", "", None),
        ("Free", "anything", None),
    ],
)
def test_a_value_is_allowed_or_the_complaint_says_what_is(
    template: Template, parameter: str, value: str, complaint: str | None
) -> None:
    assert template.find_fault(parameter, value) == complaint


def test_a_missing_template_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "PARTS", ("nothing",))
    with pytest.raises(UserError, match=r"cfn/nothing\.yaml cannot be used: .*No such file"):
        module.read_all()


def test_a_template_that_is_not_text_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"cfn/binary\.yaml cannot be used: .*can't decode"):
        read_template("binary")


def test_a_template_that_is_edited_meanwhile_keeps_its_first_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release's digest and its stack are made of the same text."""
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    (tmp_path / "edited.yaml").write_text(TEMPLATE)
    first = read_template("edited").body
    (tmp_path / "edited.yaml").write_text(TEMPLATE + "# edited")
    assert read_template("edited").body == first


def test_short_forms_are_read_as_what_they_stand_for(template: Template) -> None:
    properties = template.resources["Bucket"]["Properties"]
    assert properties["BucketName"] == {"Fn::Sub": "${Free}-x"}
    assert properties["Tags"][0]["Value"] == {
        "Fn::Join": [",", [{"Ref": "Id"}, {"Fn::GetAtt": "Other.Arn"}]]
    }
    included = {"Name": "AWS::Include", "Parameters": {"Location": {"Ref": "Free"}}}
    assert properties["Extra"] == {"Fn::Transform": included}


def test_the_body_ends_with_one_newline_whatever_the_file_does(template: Template) -> None:
    assert template.body == TEMPLATE + "\n"


def test_only_iam_resources_ask_for_the_capability(template: Template) -> None:
    assert Template("Resources: {HostRole: {Type: 'AWS::IAM::Role'}}").makes_roles
    assert not template.makes_roles


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Resources: {Bucket: [", "it is not YAML: .* line 2"),
        ("Parameters: {}", "it has no Resources"),
        ("", "it has no Resources"),
        ("just text", "it has no Resources"),
        ("Resources: {Oops: hello}", "Oops in Resources must have NAME: VALUE entries"),
        ("Resources: {Oops: {}}", "the resource Oops has no Type"),
        ("Resources: [Oops]", "Resources must have NAME: VALUE entries"),
        (
            "Parameters: {A: b}\nResources: {B: {Type: C}}",
            "A in Parameters must have NAME: VALUE entries",
        ),
    ],
)
def test_what_is_no_template_is_refused_with_its_file_and_the_reason(
    text: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(UserError, match=f"(?s)cfn/broken.yaml cannot be used: .*{complaint}"):
        read_template("broken")
    with pytest.raises(UserError, match=r"cfn/missing\.yaml cannot be used: .*No such file"):
        read_template("missing")
