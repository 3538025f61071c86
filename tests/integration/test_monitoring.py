"""A real Prometheus scrapes the real stack.

Every query of the alert rules and of the dashboard finds something, except two that compare brokers.
"""

import os
import re
import shutil
import time

import pytest
import requests
import yaml

from api.metrics.definitions import BROKER_SKEW, LEADER_SKEW
from local.ports import free_port
from local.waiting import wait_until
from tests.integration.processes import LoggedProcess, Stack, eventually
from tests.unit.test_monitoring_files import DEPLOY, QUERIES

OF_SEVERAL_BROKERS = LEADER_SKEW.name, BROKER_SKEW.name
BINARY = shutil.which("prometheus") or os.environ.get("PROMETHEUS")


def configuration(stack: Stack) -> dict:
    """The configuration that ships, with the addresses of this stack."""
    shipped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    ports = {name: metrics_port(getattr(stack, name)) for name in ("ping", "pong")}
    api = {"job_name": "api", "static_configs": [{"targets": [f"127.0.0.1:{stack.port}"]}]}
    services = [{"targets": [f"127.0.0.1:{port}"], "labels": {"service": name}} for name, port in ports.items()]
    return shipped | {"scrape_configs": [api, {"job_name": "services", "static_configs": services}]}


def metrics_port(process: LoggedProcess) -> str:
    [port] = re.findall(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", process.log)
    return port


@pytest.fixture
def prometheus(stack, start, tmp_path):
    """The address of a Prometheus that scrapes the stack."""
    if not BINARY:
        pytest.skip("prometheus is missing here: apt-get install prometheus, or set PROMETHEUS.")
    shutil.copy(DEPLOY / "prometheus/alerts.yml", tmp_path)
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration(stack)))
    port, folder = free_port(), str(tmp_path / "data")
    options = f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={folder}"
    start("prometheus", BINARY, *options, f"--web.listen-address=127.0.0.1:{port}")
    return f"http://127.0.0.1:{port}/api/v1"


def ask(prometheus: str, path: str, **parameters: object) -> dict:
    answer = requests.get(f"{prometheus}/{path}", parameters, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_every_query_finds_something(stack, prometheus):
    started = time.time()
    eventually(lambda: targets(prometheus) == ["up"] * 3)
    for _ in range(12):
        assert stack.get("/ping/1000/100").status_code == 200
        time.sleep(2)  # spread over at least two scrapes

    def finds_nothing() -> list[str]:
        # An alert query like `lag > 30` finds nothing while the alert does not fire. So `> 30` is removed here.
        queries = [re.sub(r" (>|==) \d+", "", query) for query in QUERIES if query not in OF_SEVERAL_BROKERS]
        span = {"start": started, "end": time.time(), "step": 5}
        return [query for query in queries if not ask(prometheus, "query_range", query=query, **span)["result"]]

    wait_until(lambda: not finds_nothing(), 60)
    assert finds_nothing() == []
    groups = ask(prometheus, "rules")["groups"]
    assert [rule["health"] for group in groups for rule in group["rules"]] == ["ok"] * len(groups[0]["rules"])
    # Runs of other tests may have stalled in this session.
    alerts = {alert["labels"]["alertname"] for alert in ask(prometheus, "alerts")["alerts"]}
    assert alerts <= {"RunStalled"}


def targets(prometheus: str) -> list[str]:
    return [target["health"] for target in ask(prometheus, "targets")["activeTargets"]]
