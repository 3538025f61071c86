"""Reads .env for `make run`, like docker-compose and `pipenv run`."""

import os
import re
from pathlib import Path
from string import Template

from . import ROOT


def read_settings(path: Path = ROOT / ".env") -> dict[str, str]:
    """Return the settings of the environment and of .env. If both have a setting, the environment's value counts.

    In .env, ${NAME} stands for the value of a setting from the environment or from an earlier line.
    """
    settings: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        name, assigned, value = line.partition("=")
        if assigned and not name.lstrip().startswith("#"):
            settings[name.strip()] = Template(_plain(value)).safe_substitute(settings | os.environ)
    return settings | os.environ


def _plain(value: str) -> str:
    """Return a value without its quotes, and without a comment."""
    quoted = re.match(r"""\s*(["'])(.*?)\1""", value)
    return quoted[2] if quoted else re.split(r"(?:^|\s)#", value.strip())[0].rstrip()
