"""The inputs of the program: settings, templates and archives, checked before anything is made."""

from __future__ import annotations

from typing import NamedTuple

import pulumi

from deployment import quota, release, template
from deployment.errors import SettingError, UnknownSettingError, UserError
from deployment.release import Archive
from deployment.settings import Settings


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
            if settings.quota_check:
                quota.check(settings.instance_type, settings.min_hosts, settings.max_hosts)
            machine_image = template.read("hosts").default("ImageId")
            machine_image = machine_image.replace("x86_64", settings.architecture)
            return cls(settings, image, package, machine_image)
        except UserError as error:
            raise pulumi.RunError(_format_error(error)) from error


def _format_error(error: UserError) -> str:
    """Add the command of Pulumi's that puts a setting right."""
    if isinstance(error, SettingError):
        commands = [f"pulumi config set {key} {value}" for key, value in error.together.items()]
        return f"{error}. Run: {' && '.join(commands)}"
    if isinstance(error, UnknownSettingError):
        return f"{error} Run: pulumi config rm {error.key}"
    return str(error)
