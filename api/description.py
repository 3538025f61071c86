"""The API's OpenAPI description, openapi.yaml."""

from collections.abc import Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, cast

import yaml

from messaging.settings import Settings

PATH = Path(__file__).parent / "openapi.yaml"


def load_description() -> Mapping[str, Any]:
    return cast(Mapping[str, Any], yaml.safe_load(PATH.read_text()))


def describe(settings: Settings) -> Mapping[str, Any]:
    """Return the description with the limits of these settings."""
    description = load_description()
    for name, most in {"num_messages": settings.max_messages, "size": settings.max_size}.items():
        parameter = description["components"]["parameters"][name]
        parameter["schema"]["maximum"] = most
        parameter["example"] = min(parameter["example"], most)
    return description


def look_up(description: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the node that `node` refers to with `$ref`, or `node` itself if it is not a reference."""
    if "$ref" not in node:
        return node
    return reduce(getitem, node["$ref"].removeprefix("#/").split("/"), description)
