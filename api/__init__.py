"""The HTTP API. Nothing is imported here, because gunicorn's arbiter needs only its worker class from this package."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def create_app() -> "Flask":
    """Return the WSGI application, for gunicorn: "api:create_app()"."""
    from api.app import create_app

    return create_app()
