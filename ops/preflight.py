"""Ask AWS what would fail in a deployment: `python -m ops.preflight` (make preflight STACK=prod).

It makes nothing. The program asks the same at each `pulumi up`.

Exit codes: 0 nothing was found, 1 a deployment would fail, 2 wrong usage, 3 requests to AWS fail.
"""

import argparse
from collections.abc import Sequence

from deployment.errors import UserError
from deployment.preflight import REFUSED, Preflight
from local import program
from local.project import STACK
from ops.target import get_target, run

NOT_ASKED = (
    "No request can find out whether AWS has verified a new account, and enabled load balancers\n"
    "for it: see docs/first-deployment.md, If AWS refuses a new account."
)


def main(argv: Sequence[str] | None = None) -> int:
    return run("ops.preflight", __doc__, argv, print_results, needs_stack=True)


def print_results(args: argparse.Namespace) -> int:
    if args.stack == STACK:
        raise UserError("the local cloud has no quotas; name a stack: make preflight STACK=prod")
    target, settings = get_target(args), program.load_settings({}, program.PULUMI, args.stack)
    preflight = Preflight(target.client, target.region, target.deployment, settings)
    print(f"{target.deployment} in {target.region}, by {preflight.arn}")
    results = preflight.run()
    for result in results:
        print(f"{result.state:<8} {result.subject:<21} {result.text}")
    print(NOT_ASKED)
    return 1 if REFUSED in [result.state for result in results] else 0


if __name__ == "__main__":
    raise SystemExit(main())
