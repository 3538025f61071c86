"""The objects that all routes of an application share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import Flask, current_app

from api.events import EventStreams
from api.readiness import Readiness
from api.runs.dispatch import Dispatcher
from api.runs.store import Store
from messaging.settings import Settings

NAME = "resources"


@dataclass(frozen=True)
class Resources:
    settings: Settings
    store: Store
    dispatcher: Dispatcher
    streams: EventStreams
    readiness: Readiness
    description: Mapping[str, Any]
    """The OpenAPI description, as JSON."""

    def attach(self, app: Flask) -> None:
        app.extensions[NAME] = self


def resources() -> Resources:
    """Return those of the application that serves the current request."""
    return cast(Resources, current_app.extensions[NAME])
