"""What a deployment calls on AWS, and in whose name: permissions.csv."""

import csv
from pathlib import Path


def read_permissions() -> list[dict[str, str]]:
    """Return the rows of permissions.csv: at least one for each statement of cfn/deployer.yaml.

    caller: who calls, the program or a service of AWS. context: KEY=VALUE;KEY=VALUE
    """
    with Path(__file__).with_name("permissions.csv").open(newline="") as file:
        return list(csv.DictReader(file))
