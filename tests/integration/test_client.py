"""The terminal client as a process: what it prints, and its exit codes."""

import json

from local.ports import free_port
from tests.integration.terminal import client


def test_a_run_ends_with_a_table_of_its_stages(stack):
    ended = client(stack.port, "ping", "5000", "100")
    rows = {line.split()[0]: line.split()[1:] for line in ended.stdout.splitlines() if line.strip()}

    assert (ended.returncode, ended.stderr) == (0, "")
    assert rows["Run"][0].startswith(f"http://localhost:{stack.port}/runs/")
    assert rows["sent"] == ["pong_received", "pong_answered", "ping_received"]
    assert rows["messages"] == rows["distinct"] == ["5,000"] * 4
    assert rows["duplicates"] == rows["missing"] == ["0"] * 4
    assert {"MB/s", "msg/s", "p50", "p90", "p99", "max"} <= rows.keys()
    assert "done" in ended.stdout.splitlines()[-1]
    assert "\x1b" not in ended.stdout


def test_the_option_json_prints_the_run_and_nothing_else(stack):
    ended = client(stack.port, "pong", "5000", "100", "--json")
    run = json.loads(ended.stdout)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert (run["state"], run["service"], run["num_messages"], run["size"]) == ("done", "pong", 5000, 100)
    assert {name: stage["distinct"] for name, stage in run["stages"].items()} == {"sent": 5000, "ping_received": 5000}


def test_a_refusal_is_printed_in_the_words_of_the_api(stack):
    refused = client(stack.port, "ping", "0", "100", "--json")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "num_messages must be a whole number from 1 to 1000000 (messages), not 0.\n"


def test_a_word_instead_of_a_number_is_bad_usage():
    assert client(free_port(), "ping", "many", "100").returncode == 2


def test_an_absent_api_is_reported():
    url = f"http://localhost:{free_port()}"
    failed = client(free_port(), "ping", "10", "100", "--api", url)

    assert (failed.returncode, failed.stdout) == (2, "")
    assert f"{url} does not answer" in failed.stderr
