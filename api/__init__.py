"""The HTTP API.

This file imports no other module of the API at the top. Gunicorn's main process needs only the worker class, not Flask
and the rest.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def create_app() -> "Flask":
    """Return the WSGI application, for gunicorn: "api:create_app()"."""
    from api.app import create_app

    return create_app()
