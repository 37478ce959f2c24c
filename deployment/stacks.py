"""Make a stack of a template, and an object of an archive."""

import json
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from deployment.release import Archive
from deployment.template import Template, read_template


def get_deployment_name() -> str:
    """Return the name of the deployment. The names of its stacks begin with it."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}"


class Stack(aws.cloudformation.Stack):  # type: ignore[misc]
    """A stack with the outputs that its template declares."""

    def output(self, key: str) -> pulumi.Output[str]:
        """Return an output. Pulumi's state has none of a stack whose last update failed."""

        def get(outputs: Mapping[str, str]) -> str:
            if key in outputs:
                return outputs[key]
            raise pulumi.RunError(
                f"Pulumi's state lacks the output {key} of a stack whose last update failed. "
                f"Run: make repair STACK={pulumi.get_stack()}"
            )

        output: pulumi.Output[str] = self.outputs.apply(get)
        return output


def deploy_stack(
    part: str,
    parameters: Mapping[str, pulumi.Input[str]],
    *,
    variant: str = "",
    protect: bool = False,
    minutes: int = 10,
    after: pulumi.Resource | None = None,
    commit: str = "",
    never_replaced: Sequence[str] = (),
) -> Stack:
    """Deploy cfn/<part>.yaml as the stack <project>-<stack>-<part>, or ...-<part>-<variant>.

    variant: when it changes, a new stack is made beside the old one. minutes: time limit of a
    creation. commit: a tag, of the commit that the stack was created from. never_replaced: logical
    ids (`*` allowed) of resources that an update may change but not replace.
    """
    template = read_template(part)
    deployment = get_deployment_name()
    resource = f"{part}-{variant}" if variant else part
    # CloudFormation gives up first, and deletes what it has made, while Pulumi still waits for it.
    # Otherwise CloudFormation could continue for hours, and make hosts of a release that Pulumi
    # takes for failed.
    timeout = f"{minutes + 10}m"
    return Stack(
        resource,
        name=f"{deployment}-{resource}",
        template_body=template.body,
        parameters=_drop_defaults(template, parameters),
        capabilities=["CAPABILITY_IAM"] if template.makes_roles else [],
        # A failed creation would leave a stack in ROLLBACK_COMPLETE, which blocks its name. The
        # state of Pulumi still has the stack; `pulumi refresh` finds that it is gone.
        on_failure="DELETE",
        timeout_in_minutes=minutes,
        policy_body=_stack_policy(never_replaced) if never_replaced else None,
        tags={"project": pulumi.get_project(), "deployment": deployment}
        | ({"commit": commit} if commit else {}),
        opts=pulumi.ResourceOptions(
            protect=protect,
            depends_on=after,
            custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout),
            # The first two count only at the creation: a change of either would replace the stack.
            # A later commit of the same content is no update.
            ignore_changes=["onFailure", "timeoutInMinutes", *(["tags"] if commit else [])],
        ),
    )


def _drop_defaults(
    template: Template, parameters: Mapping[str, pulumi.Input[str]]
) -> dict[str, pulumi.Input[str]]:
    """Return the parameters whose values are neither empty nor their template's default.

    Pulumi's provider sends no empty value. CloudFormation takes the default of what is not sent.
    """
    return {
        key: value
        for key, value in parameters.items()
        if not isinstance(value, str)
        or value not in ("", str(template.parameters[key].get("Default")))
    }


def _stack_policy(never_replaced: Sequence[str]) -> str:
    """Return a policy for updates. It does not keep the stack from being deleted."""
    resources = [f"LogicalResourceId/{name}" for name in never_replaced]
    allow = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "Update:Replace", "Principal": "*", "Resource": resources}
    return json.dumps({"Statement": [allow, deny]})


def upload(
    kind: str, archive: Archive, bucket: pulumi.Input[str], key: str
) -> aws.s3.BucketObjectv2:
    """Upload an archive once: a key with the digest of the content always holds the same bytes."""
    return aws.s3.BucketObjectv2(
        f"{kind}-{archive.digest}",
        bucket=bucket,
        key=key,
        source=pulumi.FileAsset(str(archive.path)),
        opts=pulumi.ResourceOptions(ignore_changes=["source"]),
    )
