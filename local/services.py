"""The commands and the environment of ping, pong and the API."""

import os
import sys
from collections.abc import Mapping

from .ports import HOST

NAMEKO_RUN = (sys.executable, "-m", "nameko", "run", "--config", "config.yml")
"""The command to run a nameko service, without its last argument: the service's module."""
PING = (*NAMEKO_RUN, "ping")
PONG = (*NAMEKO_RUN, "pong")
API = (sys.executable, "-m", "gunicorn", "--config", "api/gunicorn.conf.py", "api:create_app()")


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with these settings, with unbuffered output and without Python's warnings."""
    return {**os.environ, **settings, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"}


def api_address(port: int) -> dict[str, str]:
    """Return the setting that makes the API listen on this port."""
    return {"API_BIND": f"{HOST}:{port}"}
