"""A fake of the Pulumi engine and AWS: run `__main__.py` and keep what it declares.

Each stack has exactly the outputs that its template declares. Unknown and missing parameters are
errors, so a wrong name on either side of the wiring is an error.
"""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_all_config, set_mocks
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.rpc import UNKNOWN
from pulumi.runtime.settings import get_root_resource

from tests.support.templates import TEMPLATES

ROOT = Path(__file__).parents[2]
# With these, the optional stacks are deployed as well.
ALL = {"budget": "20", "alertEmail": "ops@example.org", "reviewer": "user"}
PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
STACK = "aws:cloudformation/stack:Stack"
LOGIN = "aws:iam/userLoginProfile:UserLoginProfile"
PASSWORD = "made by IAM"  # noqa: S105 - nobody's


class Engine(Mocks):
    """What the program made (`resources`: name -> inputs), looked up and exported."""

    def __init__(self, machine_image: str = "ami-1") -> None:
        self.machine_image = machine_image
        self.preview = False
        self.resources: dict[str, dict[str, Any]] = {}
        self.requests: dict[str, Any] = {}  # resource name -> what the SDK sent, options and all
        self.exports: dict[str, Any] = {}
        self.secrets: set[str] = (
            set()
        )  # names of the exports that Pulumi encrypts and does not print

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.resources[args.name] = args.inputs
        outputs = dict(args.inputs)
        if args.typ == STACK:
            outputs["outputs"] = UNKNOWN if self.preview else self._outputs(args)
        if args.typ == LOGIN:
            outputs["password"] = PASSWORD
        return f"{args.name}-id", outputs

    def _outputs(self, args: MockResourceArgs) -> dict[str, str]:
        template = TEMPLATES[part(args.name)]
        names = set(args.inputs.get("parameters", {}))
        if unknown := names - set(template.parameters):
            raise AssertionError(f"{args.name} declares no parameter {sorted(unknown)}")
        required = {
            key for key, parameter in template.parameters.items() if "Default" not in parameter
        }
        if missing := required - names:
            raise AssertionError(f"{args.name} needs {sorted(missing)}")
        return {key: f"{part(args.name)}.{key}" for key in template.outputs}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        function = args.token.split(":")[-1]
        answers: dict[str, dict[str, Any]] = {
            "getRegion": {"region": "eu-west-1"},
            "getParameter": {"value": self.machine_image},
            "getPrefixList": {"id": "pl-1234"},
        }
        return {**args.args, **answers[function]}, []

    def run(self, config: Mapping[str, str] | None = None, preview: bool = False) -> Engine:
        """Run the program with `config` and the defaults of Pulumi.yaml; return itself.

        Preflight, which asks AWS, and the comparison of the state run only if `config` says so.
        """
        self.preview = preview
        monitor = _Recorder(self)
        set_mocks(self, project=PROJECT["name"], stack="test", preview=preview, monitor=monitor)
        defaults = {
            key: str(setting["default"]).lower()
            if isinstance(setting["default"], bool)
            else setting["default"]
            for key, setting in PROJECT["config"].items()
        }
        defaults |= {"preflight": "false", "local:withoutEngine": "true"}
        set_all_config(
            {
                key if ":" in key else f"{PROJECT['name']}:{key}": str(value)
                for key, value in (defaults | dict(config or {})).items()
            }
        )

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def program() -> Any:
            root = get_root_resource()
            assert root is not None
            outputs = root.outputs  # type: ignore[attr-defined]
            # The root is the same object in all runs of a process.
            outputs.clear()
            runpy.run_path(str(ROOT / "__main__.py"))
            secret = {
                name: pulumi.Output.from_input(output).is_secret()
                for name, output in outputs.items()
            }
            return pulumi.Output.all(exports=outputs, secret=secret).apply(self._keep)

        program()
        return self

    def _keep(self, outputs: dict[str, Any]) -> None:
        self.exports = outputs["exports"]
        self.secrets = {name for name, secret in outputs["secret"].items() if secret}

    def stacks(self) -> dict[str, dict[str, Any]]:
        """Return the inputs of each stack that the program declares, by part and in its order."""
        return {
            part(name): inputs
            for name, inputs in self.resources.items()
            if "templateBody" in inputs
        }

    def get_parameters(self, part: str) -> dict[str, str]:
        """Return the parameters of a stack as CloudFormation has them, with its defaults."""
        declared = TEMPLATES[part].parameters
        defaults = {
            key: str(item["Default"]) for key, item in declared.items() if "Default" in item
        }
        return {**defaults, **self.stacks()[part].get("parameters", {})}


class _Recorder(MockMonitor):
    """Keep each registration as it is sent, because only this form has the resource options."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.engine = engine

    def RegisterResource(self, request: Any) -> Any:
        self.engine.requests[request.name] = request
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


def part(resource: str) -> str:
    """The template that a stack resource is made from: hosts-<release> is made from hosts."""
    return resource.split("-")[0]
