"""Log lines as text and as JSON."""

import json
import logging

import pytest

from messaging.extensions.statistics import TopicStats
from messaging.logs import formatter, gunicorn_config
from messaging.runs.batch import Batch

TEXT = "%(levelname)s %(message)s"


@pytest.fixture
def lines(monkeypatch, request):
    """The lines of logger `messaging`, in the format of the test's parameter."""
    monkeypatch.setattr("sys.argv", ["/venv/bin/nameko", "run", "--config", "config.yml", "pong"])
    lines: list[str] = []
    handler = logging.Handler()
    handler.setFormatter(formatter(TEXT, request.param))
    handler.emit = lambda record: lines.append(handler.format(record))
    logger = logging.getLogger("messaging")
    logger.addHandler(handler)
    monkeypatch.setattr(logger, "level", logging.INFO)
    yield lines
    logger.removeHandler(handler)


def count_a_hundred() -> None:
    TopicStats("pong", 100).record(Batch("pong", [0] * 100, [None] * 100, [b"x" * 10] * 100, 0.1))


@pytest.mark.parametrize("lines", ["", "text"], indirect=True)
def test_lines_are_text_by_default(lines):
    count_a_hundred()

    assert lines[0].startswith("INFO topic=pong messages=100 total=100 seconds=")


@pytest.mark.parametrize("lines", ["json"], indirect=True)
def test_each_figure_in_the_log_line_of_a_consumer_is_a_json_member(lines):
    count_a_hundred()
    line = json.loads(lines[0])

    members = "level", "logger", "service", "run", "topic", "messages", "unstamped"
    assert [line[name] for name in members] == [
        "INFO", "messaging.extensions.statistics", "pong", None, "pong", 100, 100
    ]  # fmt: skip
    assert line["message"].startswith("topic=pong messages=100 ")
    assert line["time"].endswith("+00:00")


@pytest.mark.parametrize("lines", ["json"], indirect=True)
def test_a_line_has_the_id_of_its_run_and_the_traceback_of_its_error(lines):
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logging.getLogger("messaging.test").exception("it failed", extra={"run": "an id"})
    line = json.loads(lines[0])

    assert (line["run"], line["topic"]) == ("an id", None)
    assert line["exc_info"].endswith("ValueError: first\nsecond")


def test_gunicorn_keeps_its_own_format_by_default():
    assert gunicorn_config(None) == {}


def test_another_format_is_refused():
    with pytest.raises(SystemExit, match=r"^LOG_FORMAT must be text or json, not 'xml'\.$"):
        formatter(TEXT, "xml")
