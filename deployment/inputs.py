"""What the program is given: settings, templates and archives. What could not work is refused before it is tried."""

from __future__ import annotations

from typing import NamedTuple

import pulumi

from deployment import release, template
from deployment.release import Archive, OutdatedArchive
from deployment.settings import Settings
from deployment.template import BadTemplate


class Inputs(NamedTuple):
    """image_parameter: name of the SSM parameter with the id of the hosts' machine image."""

    settings: Settings
    image: Archive
    package: Archive
    image_parameter: str

    @classmethod
    def load(cls) -> Inputs:
        """Raises pulumi.RunError with what is wrong and what to do."""
        try:
            template.read_all()
            return cls(
                Settings.load(),
                release.archive("image"),
                release.archive("package"),
                template.read("hosts").default("ImageId"),
            )
        except (BadTemplate, OutdatedArchive) as wrong:
            raise pulumi.RunError(str(wrong)) from None
