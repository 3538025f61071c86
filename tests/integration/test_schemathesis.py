"""schemathesis makes requests from the description of the API, and checks that the responses match it."""

import subprocess
import sys
from pathlib import Path

from tests.integration.processes import all_serve, eventually

ST = Path(sys.executable).with_name("st")
CONFIG = Path(__file__).with_name("schemathesis.toml")
OPTIONS = [
    "--generation-deterministic", "--max-examples", "10", "--continue-on-failure", "--request-timeout", "20",
    "--no-color",
]  # fmt: skip


def test_schemathesis_finds_nothing(stack, tmp_path):
    """Single requests, and sequences of them: start a run, look at it, follow it, stop it."""
    port, _ = stack.start_api(MAX_MESSAGES="3", MAX_SIZE="100", RUNS_PENDING="1000")  # so each run is short
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: all_serve(port))

    command = [ST, "--config-file", CONFIG, "run", f"{url}/openapi.json", *OPTIONS]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    for phase in "Examples", "Coverage", "Fuzzing", "Stateful":
        assert f"✅ {phase}" in ended.stdout, ended.stdout
