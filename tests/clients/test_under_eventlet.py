"""The contract once more under eventlet, because services use the clients there, and waits and threads differ."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("tests", ["test_kafka_python.py"])
def test_the_contract_is_kept_under_eventlet_as_well(brokers, tests):
    command = [sys.executable, "-m", "tests.under_eventlet", "-p", "no:cacheprovider"]
    run = subprocess.run([*command, Path(__file__).with_name(tests)], capture_output=True, text=True, timeout=600)

    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
