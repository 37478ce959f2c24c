"""The inputs of the program: settings, templates and archives, checked before anything is made."""

from __future__ import annotations

from typing import NamedTuple

import pulumi

from deployment import preflight, release, state, template
from deployment.errors import UserError, format_for_pulumi
from deployment.release import Archive
from deployment.settings import Settings
from deployment.stacks import name


class Inputs(NamedTuple):
    """image_parameter: name of the SSM parameter with the id of the hosts' machine image."""

    settings: Settings
    image: Archive
    package: Archive
    image_parameter: str

    @classmethod
    def load(cls) -> Inputs:
        """Return the inputs. Raises pulumi.RunError, which Pulumi prints without a traceback."""
        try:
            template.read_all()
            settings = Settings.load()
            # Hosts of the local cloud have the architecture of its engine, whatever their type.
            architecture = pulumi.Config("local").get("architecture") or settings.architecture
            image = release.archive(f"image-{architecture}")
            package = release.archive("package")
            state.check_state(settings)
            if settings.preflight:
                preflight.check(name(), settings)
            return cls(settings, image, package, settings.machine_image)
        except UserError as error:
            raise pulumi.RunError(format_for_pulumi(error)) from error
