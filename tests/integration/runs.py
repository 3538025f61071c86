"""Asking for runs, and waiting for their end."""

import requests

from tests.integration.processes import FINAL, Stack, eventually


def post(stack: Stack, path: str, **headers: str) -> requests.Response:
    return stack.request("POST", path, headers=headers)


def run_of(stack: Stack, answer: requests.Response) -> dict:
    """Return the run in the header Location of a response, as it is now."""
    return stack.get(answer.headers["Location"]).json()


def finished(stack: Stack, answer: requests.Response, seconds: float = 60) -> dict:
    """Wait until the run in the header Location of a response has ended. Return the run."""

    def ended() -> dict:
        run = run_of(stack, answer)
        assert run["state"] in FINAL, run
        return run

    return eventually(ended, seconds, "the run does not end")


def assert_complete(run: dict, count: int) -> None:
    """Raise AssertionError unless the run is done and every stage has seen every message."""
    assert run["state"] == "done", run
    assert run["finished"]
    assert [run["stalled"], run["reason"]] == [None, None]
    for name, stage in run["stages"].items():
        assert [stage["distinct"], stage["missing"], stage["failed"]] == [count, 0, 0], name
        assert stage["messages"] == count + stage["duplicates"] == sum(stage["partitions"].values())
        assert stage["messages"] == sum(stage["instances"].values())
        assert stage["bytes"] == stage["messages"] * run["size"]
        latency = stage["latency_ms"]
        assert 0 <= latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
        assert run["created"] <= stage["first"] <= stage["last"] <= run["finished"]
