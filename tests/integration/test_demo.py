"""`make demo`, with fewer messages."""

import json
import subprocess
import sys

import pytest

from local import ROOT
from local.brokers import Brokers

SMALL = """
import sys
from dataclasses import replace
from demo.__main__ import main
from demo.designs import DESIGNS

main(sys.argv[1:], [replace(design, messages=design.messages // 10) for design in DESIGNS])
"""


def test_a_small_demo_kills_services_and_counts_messages_and_prints_only_json(tmp_path):
    if missing := Brokers.missing():
        pytest.skip(f"{', '.join(missing)} missing here. `make test` installs it and runs all tests.")
    picture = tmp_path / "demo.svg"
    command = [sys.executable, "-c", SMALL, "--json", "--svg", str(picture)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)

    assert ended.returncode == 0, ended.stderr
    results = {result["design"]: result for result in json.loads(ended.stdout)}
    sent = {name: result["sent"] for name, result in results.items()}
    assert sent == {"textbook": 3000, "at-least-once": 100_000, "exactly-once": 100_000}
    assert {result["kills"] for result in results.values()} == {2}
    assert all(result["message_rate"] > 0 for result in results.values())
    assert results["at-least-once"]["lost"] == 0
    assert [results["exactly-once"][name] for name in ("lost", "twice", "out_of_order")] == [0, 0, 0]
    assert "<svg" in picture.read_text()
