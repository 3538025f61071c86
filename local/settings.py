"""Reads .env for `make run`, like docker-compose and `pipenv run`."""

import os
import shlex
from pathlib import Path
from string import Template

from . import ROOT


def read_settings(path: Path = ROOT / ".env") -> dict[str, str]:
    """Return the settings of .env and of the environment, which wins. A value may refer to others as ${NAME}."""
    settings = dict(os.environ)
    for line in path.read_text().splitlines() if path.exists() else ():
        name, assigned, value = line.partition("=")
        if assigned and not name.lstrip().startswith("#"):
            plain = " ".join(shlex.split(value, comments=True))
            settings.setdefault(name.strip(), Template(plain).safe_substitute(settings))
    return settings
