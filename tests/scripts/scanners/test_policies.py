"""The scanners find what a template should not have, and only a reason beside the resource makes up for it."""

from __future__ import annotations

import pytest

from deployment.template import FOLDER, Template
from scan.templates import scan

pytestmark = pytest.mark.integration

# name -> the template, what is replaced in it, by what, and what must be found then (nothing else)
MUTATIONS = {
    "ssh": (
        "network", "          ToPort: 80\n          CidrIp: 0.0.0.0/0\n",
        """          ToPort: 80
          CidrIp: 0.0.0.0/0
        - { Description: Remote login, IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0 }
""",
        {"BalancerSecurityGroup: checkov CKV_AWS_24", "BalancerSecurityGroup: guard CT.EC2.PR.3",
         "BalancerSecurityGroup: guard CT.EC2.PR.4"},
    ),
    "public-bucket": (
        "artifacts", "BlockPublicAcls: true", "BlockPublicAcls: false",
        {"Bucket: checkov CKV_AWS_53", "Bucket: guard CT.S3.PR.1"},
    ),
    "plain-bucket": (
        "artifacts", 'aws:SecureTransport: "false"', 'aws:SecureTransport: "true"',
        set(),  # the one that no rule of theirs sees: tests/cfn/test_security.py does
    ),
    "metadata-v1": (
        "hosts", "HttpTokens: required", "HttpTokens: optional",
        {"LaunchTemplate: checkov CKV_AWS_79", "LaunchTemplate: guard CT.EC2.PR.1"},
    ),
    "public-hosts": (
        "hosts", "AssociatePublicIpAddress: false", "AssociatePublicIpAddress: true",
        {"LaunchTemplate: checkov CKV_AWS_88", "LaunchTemplate: guard CT.EC2.PR.9"},
    ),
    "any-instance-type": (
        "hosts", "    Default: t3.micro", "    Default: t2.micro",
        {"LaunchTemplate: guard CT.EC2.PR.15"},
    ),
    "root": (
        "hosts", "Action: s3:GetObject\n                Resource: ", 'Action: "*"\n                Resource: "*" # ',
        {"HostRole: guard CT.IAM.PR.1", "HostRole: guard CT.IAM.PR.5", "HostRole: checkov CKV_AWS_62",
         "HostRole: checkov CKV_AWS_63"},
    ),
    "smuggling": (
        "balancer", 'header_fields.enabled, Value: "true"', 'header_fields.enabled, Value: "false"',
        {"LoadBalancer: checkov CKV_AWS_131", "LoadBalancer: guard CT.ELASTICLOADBALANCING.PR.4"},
    ),
    "no-reason": (
        "balancer", "comment: No TLS of any version, as said of CKV_AWS_2.", 'comment: ""',
        {"Listener: checkov CKV_AWS_103: skipped without a reason in a sentence"},
    ),
    "not-needed": (
        "healthcheck", "- id: CKV_AWS_115\n", "- id: CKV_AWS_999\n",
        {"Function: checkov CKV_AWS_999: no longer found; take its skip away", "Function: checkov CKV_AWS_115"},
    ),
    "in-a-comment": (
        "balancer", "SNS::Topic\n    Metadata:\n", "SNS::Topic # checkov:skip=CKV_AWS_26:why not\n    Unused:\n",
        {"AlertTopic: checkov CKV_AWS_26"},
    ),
    "for-all": (
        "artifacts", "    Metadata:\n      checkov:\n", "    Unused:\n      checkov:\n",
        {"Bucket: checkov CKV_AWS_18", "Bucket: checkov CKV_AWS_21", "Bucket: guard CT.S3.PR."},
    ),
}  # fmt: skip
FOR_ALL = (
    "Metadata: { checkov: { skip: [{ id: CKV_AWS_18, comment: It is so in all of them. }] } }\n"
)


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is found in all mutants: in one run, as starting a scanner takes seconds."""
    mutants = {}
    for name, (part, old, new, _) in MUTATIONS.items():
        text = (FOLDER / f"{part}.yaml").read_text()
        assert text.count(old) == 1, name
        mutants[name] = Template((FOR_ALL if name == "for-all" else "") + text.replace(old, new))
    # Settings that checkov would take from where it is started, and from the home folder.
    somebodys = tmp_path_factory.mktemp("home")
    (somebodys / ".checkov.yaml").write_text("skip-check: [CKV_AWS_24, CKV_AWS_53]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(somebodys)
        patch.setenv("HOME", str(somebodys))
        return scan(mutants, tmp_path_factory.mktemp("scan").resolve()).problems


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_is_wrong_with_a_template_is_found_and_nothing_else(
    name: str, problems: list[str]
) -> None:
    found = [one.removeprefix(f"cfn/{name}.yaml: ") for one in problems if f"/{name}.yaml" in one]
    missing = [one for one in MUTATIONS[name][3] if not any(said.startswith(one) for said in found)]
    unexpected = [
        said for said in found if not any(said.startswith(one) for one in MUTATIONS[name][3])
    ]
    assert (missing, unexpected) == ([], [])
