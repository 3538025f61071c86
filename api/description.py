"""The API's OpenAPI description, openapi.yaml."""

from collections.abc import Mapping
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, cast

import yaml

PATH = Path(__file__).parent / "openapi.yaml"


def load_description() -> Mapping[str, Any]:
    return cast(Mapping[str, Any], yaml.safe_load(PATH.read_text()))


def look_up(description: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference: return the node that this one refers to, or this one if it is no reference."""
    if "$ref" not in node:
        return node
    return reduce(getitem, node["$ref"].removeprefix("#/").split("/"), description)
