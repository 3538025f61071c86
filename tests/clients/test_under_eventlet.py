"""Tests the contract again under eventlet, as in the services, because waits and threads work differently there."""

import os
import sys
from pathlib import Path

import pytest

from local.brokers import Brokers
from local.processes import Process


@pytest.mark.parametrize("contract", ["test_kafka_python.py", "test_confluent_kafka.py"])
def test_the_contract_is_kept_under_eventlet_as_well(tmp_path, contract):
    if missing := Brokers.missing():
        pytest.skip(f"{', '.join(missing)} missing here. `make test` installs it and runs all tests.")
    command = [sys.executable, "-m", "tests.under_eventlet", str(Path(__file__).with_name(contract))]
    options = ["-p", "no:cacheprovider", f"--basetemp={tmp_path / 'inner'}"]
    log = tmp_path / "log"
    process = Process([*command, *options], os.environ, log, ends_with_us=True)
    try:
        code = process.popen.wait(600)
    finally:
        process.end(30)

    assert code == 0, log.read_text()
    assert " passed" in log.read_text()
