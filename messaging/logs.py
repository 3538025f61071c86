"""The format of log lines: text, or one JSON object a line for tools that collect the logs of many services."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from messaging.settings import LOG_FORMAT, parse


def formatter(format: str = "", log_format: str | None = None) -> logging.Formatter:
    """Return the formatter that LOG_FORMAT asks for. `format` is the format of text.

    A JSON line has time, level, logger, service, run, topic and message. Run and topic may be null. A consumer's line
    also has each of its figures.
    """
    if not is_json(log_format):
        return logging.Formatter(format)
    return JsonFormatter(
        "%(levelname)s %(name)s %(run)s %(topic)s %(message)s",
        timestamp="time",
        rename_fields={"levelname": "level", "name": "logger"},
        static_fields={"service": service_of(sys.argv)},
        defaults={"run": None, "topic": None},
    )


def gunicorn_config(log_format: str | None) -> dict[str, Any]:
    """Return gunicorn's `logconfig_dict`. It is empty for text. Then gunicorn keeps its own format."""
    if not is_json(log_format):
        return {}
    return {
        "formatters": {"json": {"()": formatter, "log_format": log_format}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
            "gunicorn.access": {"level": "WARNING"},  # with a `logconfig_dict`, gunicorn would log each request
        },
    }


def is_json(log_format: str | None) -> bool:
    return str(parse("LOG_FORMAT", LOG_FORMAT, log_format)) == "json"


def service_of(command: Sequence[str]) -> str:
    """Return ping, pong or api. The last argument of `nameko run` is the module of the service."""
    return "api" if "gunicorn" in command[0] else command[-1]
