"""Reads config.yml for those that `nameko run` does not start: the API, tests and benchmarks."""

from pathlib import Path

import yaml
from nameko.cli.main import setup_yaml_parser

PATH = Path(__file__).parent.parent / "config.yml"


def load() -> dict:
    """The configuration the services have, with the environment's values put in."""
    setup_yaml_parser()
    return yaml.safe_load(PATH.read_text())
