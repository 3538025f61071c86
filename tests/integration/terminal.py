"""The terminal client as a process."""

import os
import subprocess
import sys

from local import ROOT


def client(port: int, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run `python -m client` with the API at this port."""
    # No proxy listens at the address in `http_proxy`. So the client reaches the API only if it ignores `http_proxy`.
    settings = {"API_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "client", *arguments]
    environment = os.environ | settings | environment
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
