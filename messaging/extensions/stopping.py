"""One request to stop for all extensions of a service, and the service's checked settings."""

from typing import Any

from nameko.containers import ServiceContainer
from nameko.extensions import SharedExtension

from messaging import settings
from messaging.settings import Settings
from messaging.stopping import StopRequest

SETTINGS = "SETTINGS"


class Stopping(SharedExtension, StopRequest):
    """Each instance of a service has one."""

    def bind(self, container: ServiceContainer) -> Any:
        # nameko binds all extensions before it sets up the first one. So with a wrong setting, the process ends before
        # anything connects.
        settings_of(container)
        return super().bind(container)


def settings_of(container: Any) -> Settings:
    """Return the settings of a service. A wrong setting ends the process with an error message."""
    if SETTINGS not in container.config:
        container.config[SETTINGS] = settings.check(container.config)
    checked: Settings = container.config[SETTINGS]
    return checked
