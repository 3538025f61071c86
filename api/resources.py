"""The objects that all routes of an application share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import current_app

from api.events import EventStreams
from api.metrics.recorder import Recorder
from api.readiness import Readiness
from api.runs.dispatch import Dispatcher
from api.runs.janitor import Janitor
from api.runs.store import Store
from api.runs.totals import TotalsKeeper
from messaging.settings import Settings

NAME = "resources"


@dataclass(frozen=True)
class Resources:
    settings: Settings
    store: Store
    dispatcher: Dispatcher
    streams: EventStreams
    readiness: Readiness
    janitor: Janitor
    recorder: Recorder
    keeper: TotalsKeeper
    description: Mapping[str, Any]
    """The OpenAPI description, with the limits from the settings."""

    def begin(self, api_started: int) -> None:
        """Start the threads that connect, read the journal, end lost runs and compute metrics. Each worker calls this.

        `api_started` is the start time of the API, not of this worker. It is in microseconds since the epoch.
        """
        self.keeper.since = api_started
        self.store.warm_up()
        self.janitor.start()
        self.recorder.start()


def resources() -> Resources:
    """Return the resources of the application that serves the current request."""
    return cast(Resources, current_app.extensions[NAME])
