"""The inputs of the program: settings, templates and archives, checked before anything is made."""

import pulumi

from deployment import preflight, release, state, template
from deployment.errors import UserError, format_for_pulumi
from deployment.release import Archive
from deployment.settings import Settings


def load_inputs() -> tuple[Settings, Archive, Archive]:
    """Return the settings, and the archives of the image and of the healthcheck's package.

    Raises pulumi.RunError, which Pulumi prints without a traceback.
    """
    try:
        template.read_all()
        settings = Settings.load()
        # Hosts of the local cloud have the architecture of its engine, whatever their type.
        architecture = pulumi.Config("local").get("architecture") or settings.architecture
        image, package = release.archive(f"image-{architecture}"), release.archive("package")
        state.check_state(settings)
        if settings.preflight:
            preflight.check(settings)
    except UserError as error:
        raise pulumi.RunError(format_for_pulumi(error)) from error
    return settings, image, package
