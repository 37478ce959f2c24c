"""The program in this process: stacks, objects, look-ups, failures, and its messages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.runtime import MockCallArgs, MockResourceArgs

import deployment.release
from deployment.errors import UserError
from deployment.release import Archive
from local import deployer as local_deployer
from local import program, stacks
from local.deployer import Deployer
from tests.support.templates import TEMPLATES


class Cloud:
    """CloudFormation, S3, SSM, EC2 and IAM as far as the program uses them."""

    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, str] = {}
        self.passwords: dict[str, str] = {}
        self.created: list[str] = []
        self.updated: list[str] = []
        self.deleted: list[str] = []
        self.fail = ""  # a part of the name of the stack that fails
        self.events = [
            {
                "ResourceStatus": "CREATE_FAILED",
                "LogicalResourceId": "HostsReady",
                "ResourceStatusReason": "i-1 failed while starting the service",
            },
            {"ResourceStatus": "CREATE_IN_PROGRESS", "LogicalResourceId": "HostsReady"},
        ]

    # CloudFormation

    def create_stack(self, StackName: str, OnFailure: str, **request: Any) -> dict[str, str]:
        self.created.append(StackName)
        failed = bool(self.fail) and self.fail in StackName
        status = "CREATE_COMPLETE"
        if failed:
            status = "DELETE_COMPLETE" if OnFailure == "DELETE" else "ROLLBACK_COMPLETE"
        self.stacks[StackName] = {
            "StackName": StackName,
            "StackId": f"arn:aws:cloudformation:::stack/{StackName}/1",
            "StackStatus": status,
            "CreationTime": len(self.created),
            "request": request,
        }
        return {"StackId": self.stacks[StackName]["StackId"]}

    def update_stack(self, StackName: str, **request: Any) -> None:
        if self.stacks[StackName]["request"] == request:
            raise refusal("ValidationError", "No updates are to be performed.")
        self.updated.append(StackName)
        self.stacks[StackName] |= {"request": request, "StackStatus": "UPDATE_COMPLETE"}

    def delete_stack(self, StackName: str) -> None:
        if "reviewer" in StackName and self.passwords:
            raise refusal(
                "DeleteConflict", "Cannot delete entity, must delete login profile first."
            )
        self.deleted.append(StackName)
        del self.stacks[StackName]

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        for stack in self.stacks.values():
            if StackName in (stack["StackName"], stack["StackId"]):
                return {"Stacks": [self.describe(stack)]}
        raise refusal("ValidationError", f"Stack with id {StackName} does not exist")

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_stacks"
        pages = SimpleNamespace(search=lambda _: list(self.stacks.values()))
        return SimpleNamespace(paginate=lambda: pages)

    @staticmethod
    def describe(stack: dict[str, Any]) -> dict[str, Any]:
        part = stack["StackName"].split("-")[2]
        outputs = [{"OutputKey": key, "OutputValue": key} for key in TEMPLATES[part].outputs]
        return {**stack, "Outputs": outputs, "Tags": stack["request"].get("Tags", [])}

    def describe_stack_events(self, StackName: str) -> dict[str, Any]:
        return {
            "StackEvents": [
                {"ResourceStatus": "DELETE_COMPLETE", "LogicalResourceId": "HostGroup"},
                *self.events,
                {"ResourceStatus": "CREATE_IN_PROGRESS", "LogicalResourceId": "HostGroup"},
            ]
        }

    # S3, SSM, EC2

    meta = SimpleNamespace(region_name="us-east-1")

    def list_objects_v2(self, Bucket: str) -> dict[str, Any]:
        return {"Contents": [{"Key": key} for key in self.objects]}

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.objects[key] = bucket

    def delete_object(self, Bucket: str, Key: str) -> None:
        del self.objects[Key]

    def get_parameter(self, Name: str) -> dict[str, Any]:
        return {"Parameter": {"Value": "ami-1"}}

    def describe_prefix_lists(self) -> dict[str, Any]:
        name = "com.amazonaws.us-east-1.s3"
        return {"PrefixLists": [{"PrefixListName": name, "PrefixListId": "pl-1"}]}

    # IAM

    def list_users(self, PathPrefix: str) -> dict[str, Any]:
        paths = [f"/{name}/" for name in self.stacks if name.endswith("reviewer-user")]
        return {"Users": [{"UserName": "Name"} for path in paths if path.startswith(PathPrefix)]}

    exceptions = SimpleNamespace(
        EntityAlreadyExistsException=FileExistsError, NoSuchEntityException=KeyError
    )

    def create_login_profile(self, UserName: str, **login: Any) -> None:
        if UserName in self.passwords:
            raise FileExistsError
        self.passwords[UserName] = ""
        self.update_login_profile(UserName, **login)

    def update_login_profile(
        self, UserName: str, Password: str, PasswordResetRequired: bool
    ) -> None:
        assert UserName in self.passwords
        assert PasswordResetRequired
        self.passwords[UserName] = Password

    def delete_login_profile(self, UserName: str) -> None:
        del self.passwords[UserName]


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud()
    monkeypatch.setattr(local_deployer, "client", lambda *_, **__: cloud)
    monkeypatch.setattr(stacks, "client", lambda endpoint, service: cloud)
    return cloud


@pytest.fixture
def run(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[dict[str, Any], int]]:
    """Runs the program; `image`: digest of the service's sources."""

    previous: dict[str, Any] = {}

    def run(image: str = "1" * 12, **overrides: str) -> tuple[dict[str, Any], int]:
        digests = {"image-x86_64": image, "package": "2" * 12}
        monkeypatch.setattr(
            deployment.release, "archive", lambda kind: Archive(tmp_path / kind, digests[kind])
        )
        deployer = Deployer("http://nowhere", previous.get("reviewer"))
        exports = program.run(deployer, overrides)
        previous.clear()
        previous.update(exports)
        return exports, deployer.changes

    return run


IN_ORDER = ["artifacts", "network", "balancer", "hosts", "healthcheck"]
Run = Callable[..., tuple[dict[str, Any], int]]
ROLE = {"reviewer": "role", "reviewerAccount": "123456789012", "reviewerExternalId": "review-1"}


def test_everything_is_made_and_exported(run: Run, cloud: Cloud) -> None:
    exports, changes = run()
    assert [name.split("-")[2] for name in cloud.created] == IN_ORDER
    assert changes == len(cloud.created) + len(cloud.objects) == 7
    assert exports["url"] == "Url"
    assert exports["release"] in cloud.created[3]


def test_the_same_again_changes_nothing(run: Run, cloud: Cloud) -> None:
    run()
    assert run()[1] == 0
    assert (len(cloud.created), cloud.updated, cloud.deleted) == (5, [], [])


def test_a_later_commit_of_the_same_content_changes_nothing(
    run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment.release, "get_commit", lambda: "120001c0ffee")
    assert run()[0]["commit"] == "120001c0ffee"
    monkeypatch.setattr(deployment.release, "get_commit", lambda: "ad998a1decaf+")
    exports, changes = run()
    assert (changes, exports["commit"]) == (0, "120001c0ffee")
    assert run(image="3" * 12)[0]["commit"] == "ad998a1decaf+"
    assert cloud.updated == ["timeservice-local-healthcheck"]


def test_a_change_of_a_setting_updates_its_stack_alone(run: Run, cloud: Cloud) -> None:
    run()
    assert run(alertEmail="ops@example.org")[1] == 1
    assert cloud.updated == ["timeservice-local-balancer"]


def test_a_release_is_a_new_stack_and_the_old_one_goes_last(run: Run, cloud: Cloud) -> None:
    old = run()[0]["release"]
    new = run(image="3" * 12)[0]["release"]
    assert cloud.created[5:] == [f"timeservice-local-hosts-{new}"]
    assert cloud.deleted == [f"timeservice-local-hosts-{old}"]
    assert set(cloud.objects) == {f"images/{'3' * 12}.tar.gz", f"healthcheck/{'2' * 12}.zip"}


def test_a_failed_release_tells_the_reason_and_leaves_all_as_it_was(run: Run, cloud: Cloud) -> None:
    old = run()[0]["release"]
    cloud.fail = "hosts"
    with pytest.raises(UserError, match="HostsReady: i-1 failed while starting the service"):
        run(image="3" * 12)
    assert cloud.deleted == []
    assert f"images/{'1' * 12}.tar.gz" in cloud.objects
    cloud.fail = ""
    assert run()[0]["release"] == old


def test_a_stack_is_given_more_time_than_it_takes_itself_and_names_what_it_waits_for(
    run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait condition ends first, with the hosts' reason."""
    run()
    began, now = time.monotonic(), [time.monotonic()]
    monkeypatch.setattr(stacks.time, "monotonic", lambda: now[0])  # type: ignore[attr-defined]

    def sleep(_: float) -> None:
        now[0] += 10

    monkeypatch.setattr(stacks.time, "sleep", sleep)  # type: ignore[attr-defined]
    name = next(name for name in cloud.stacks if "hosts" in name)
    cloud.stacks[name]["StackStatus"] = "CREATE_IN_PROGRESS"
    cloud.events = [{"ResourceStatus": "CREATE_IN_PROGRESS", "LogicalResourceId": "HostsReady"}]
    with pytest.raises(
        UserError, match=r"not done after 2460 s, and waits for HostsReady CREATE_IN_PROGRESS;"
    ):
        run()
    wait_condition = TEMPLATES["hosts"].resources["HostsReady"]["Properties"]["Timeout"]
    assert now[0] - began > int(wait_condition) + 300


@pytest.mark.parametrize(
    "status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "DELETE_FAILED", "REVIEW_IN_PROGRESS"]
)
def test_what_a_run_that_was_cut_off_has_left_is_made_anew(
    run: Run, cloud: Cloud, status: str
) -> None:
    run()
    cloud.stacks["timeservice-local-balancer"]["StackStatus"] = status
    run()
    assert cloud.deleted == ["timeservice-local-balancer"]
    assert cloud.created[5:] == ["timeservice-local-balancer"]


def test_stacks_of_others_are_left_alone(run: Run, cloud: Cloud) -> None:
    cloud.create_stack("somebody-elses-network", "ROLLBACK")
    run()
    assert "somebody-elses-network" in cloud.stacks


def test_a_reviewer_gets_a_password_once(run: Run, cloud: Cloud) -> None:
    exports, _ = run(reviewer="user")
    assert exports["reviewer"]["user"] == "Name"
    assert exports["reviewer"]["password"] == cloud.passwords["Name"]
    assert len(cloud.passwords["Name"]) >= 20
    again, changes = run(reviewer="user")
    assert (again["reviewer"]["password"], changes) == (exports["reviewer"]["password"], 0)


def test_a_password_that_nobody_knows_any_more_is_made_anew(run: Run, cloud: Cloud) -> None:
    """An interrupted run has made the password, and has not saved it."""
    run(reviewer="user")
    before = dict(cloud.passwords)
    exports = program.run(Deployer("http://nowhere"), {"reviewer": "user"})
    assert exports["reviewer"]["password"] == cloud.passwords["Name"] != before["Name"]


@pytest.mark.parametrize(("after", "changes"), [({}, 1), (ROLE, 2)], ids=["none", "role"])
def test_a_reviewer_s_password_goes_before_its_user(
    run: Run, cloud: Cloud, after: dict[str, str], changes: int
) -> None:
    run(reviewer="user")
    exports, changed = run(**after)
    assert (changed, "reviewer" in exports) == (changes, bool(after))
    assert cloud.passwords == {}
    assert cloud.deleted == ["timeservice-local-reviewer-user"]


def test_a_wrong_setting_is_told_in_the_program_s_own_words(run: Run, cloud: Cloud) -> None:
    with pytest.raises(UserError, match=r"instanceType is 'm5\.large': must be one of t3\.micro"):
        run(instanceType="m5.large")
    assert cloud.created == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"budget": "20", "alertEmail": "ops@example.org"},
            "the setting budget is '20': the local cloud has no AWS Budgets, and costs nothing. "
            'Run: make up CONFIG="budget=0 alertEmail=ops@example.org"',
        ),
        (
            {"budget": "20"},
            "the setting budget is '20': the local cloud has no AWS Budgets, and costs nothing. "
            'Run: make up CONFIG="budget=0"',
        ),
        (
            {"secondOctet": "7", "minHosts": "3"},
            "the setting maxHosts is '2': must be at least minHosts, which is 3. "
            'Run: make up CONFIG="secondOctet=7 minHosts=3 maxHosts=3"',
        ),
        (
            {"reviewer": "role"},
            "the setting reviewerAccount is '': must be set, because reviewer is role, and a role "
            'needs an account and an external id. Run: make up CONFIG="reviewer=role '
            'reviewerAccount=ACCOUNT reviewerExternalId=WORD"',
        ),
        (
            {"reviewer": "admin"},
            "the setting reviewer is 'admin': must be one of user, role, or none. "
            'Run: make up CONFIG="reviewer=VALUE"',
        ),
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused_with_the_command_of_make(
    given: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError) as refused:
        program.check(given)
    assert str(refused.value) == message


def test_a_budget_of_0_is_none() -> None:
    assert program.check({"budget": "0"}).budget == 0


def test_a_broken_template_is_refused_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_all() -> None:
        raise UserError("cfn/artifacts.yaml cannot be used")

    monkeypatch.setattr(program, "read_all", read_all)
    with pytest.raises(UserError, match="artifacts"):
        program.check({})


def test_settings_are_read_for_a_command_that_deploys_nothing() -> None:
    assert program.load_settings({"minHosts": "3", "maxHosts": "4"}, "make cost").max_hosts == 4
    with pytest.raises(UserError, match="there is no setting 'size'"):
        program.load_settings({"size": "big"}, "make cost")


def test_an_outdated_archive_is_told_in_the_program_s_own_words(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outdated(kind: str) -> Archive:
        raise UserError(f"run `make {kind}`")

    monkeypatch.setattr(deployment.release, "archive", outdated)
    with pytest.raises(UserError, match="run `make image-x86_64`"):
        program.run(Deployer("http://nowhere"), {})


def test_an_api_that_refuses_is_told_with_what_it_refused(run: Run, cloud: Cloud) -> None:
    def refuse(**_: Any) -> None:
        raise refusal("ValidationError", "Template format error")

    cloud.create_stack = refuse  # type: ignore[assignment, method-assign]
    with pytest.raises(ClientError, match="Template format error"):
        run()


def test_a_look_up_that_is_refused_is_told_with_what_was_refused(run: Run, cloud: Cloud) -> None:
    def refuse(**_: Any) -> None:
        raise refusal("AccessDenied", "not authorized to perform: ssm:GetParameter")

    cloud.get_parameter = refuse  # type: ignore[assignment, method-assign]
    with pytest.raises(ClientError, match="ssm:GetParameter"):
        run()


def test_a_deletion_that_is_refused_is_told_with_what_was_refused(run: Run, cloud: Cloud) -> None:
    def refuse(**_: Any) -> None:
        raise refusal("AccessDenied", "not authorized to perform: s3:DeleteObject")

    run()
    cloud.delete_object = refuse  # type: ignore[assignment, method-assign]
    with pytest.raises(ClientError, match="s3:DeleteObject"):
        run(image="3" * 12)


def test_an_unknown_look_up_is_an_answer_and_not_a_crash(cloud: Cloud) -> None:
    token = "aws:servicequotas/getServiceQuota:getServiceQuota"  # noqa: S105 - a function's name
    answer, failures = Deployer("http://nowhere").call(MockCallArgs(token, {}, ""))
    assert (answer, failures) == ({}, [(token, "the local cloud does not have it")])


def test_what_is_neither_a_stack_nor_an_object_is_the_engine_s_own(cloud: Cloud) -> None:
    arguments = MockResourceArgs("pulumi:pulumi:Stack", "project", {}, "", "", None)
    assert Deployer("http://nowhere").new_resource(arguments) == ("project", {})
