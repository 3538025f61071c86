"""The metrics that a service gives to Prometheus over HTTP, and the stalls of the service's event loop."""

import logging
import os
import re
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import eventlet
import pytest
from eventlet.green import socket  # lets the service's greenthreads run while the test waits for a response
from prometheus_client.parser import text_string_to_metric_families

from messaging import settings
from messaging.extensions.event_loop import WINDOW_SECONDS, Stalls
from messaging.extensions.metrics import ServiceMetrics
from messaging.extensions.stopping import SETTINGS
from tests.unit.fakes import Clock


@pytest.fixture
def start(caplog):
    """Starts the metrics of a service; returns them and their port."""
    caplog.set_level(logging.INFO)
    started: list[ServiceMetrics] = []

    def start(first_port: int = 9101) -> tuple[ServiceMetrics, int]:
        metrics = ServiceMetrics()
        checked = replace(settings.load(), metrics_port=first_port)
        metrics.container = SimpleNamespace(config={SETTINGS: checked}, max_workers=10, _worker_threads={1: None})
        metrics.start()
        started.append(metrics)
        return metrics, int(re.findall(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", caplog.text)[-1])

    yield start
    for metrics in started:
        metrics.stop()


def get(port: int, path: str = "/metrics", method: str = "GET") -> tuple[str, str]:
    """Return the status line and the body of the response."""
    with eventlet.Timeout(10), socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: client.recv(65536), b"")).decode().partition("\r\n\r\n")
        return head.splitlines()[0], body


def values(text: str) -> dict[str, float]:
    """Return the values of all metrics in this text, by name and labels."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        " ".join([sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))]): sample.value
        for sample in samples
    }


def test_a_service_shows_what_it_has_counted(start):
    metrics, port = start()
    metrics.metered(SimpleNamespace(sent_again={"pong": 3}), "pong")
    metrics.meter.acknowledged["pong"] += 100
    metrics.meter.failed["pong", "unavailable"] += 5
    metrics.meter.sent_again["pong"] += 4
    metrics.meter.received["ping"] += 90
    status, body = get(port)

    assert status.endswith("200 OK")
    shown = values(body)
    assert shown["pingpong_client_acknowledged_messages_total topic=pong"] == 100
    assert shown["pingpong_client_failed_messages_total reason=unavailable topic=pong"] == 5
    assert shown["pingpong_client_failed_messages_total reason=refused topic=pong"] == 0
    assert shown["pingpong_client_repeated_messages_total topic=pong"] == 7
    assert shown["pingpong_client_received_messages_total topic=ping"] == 90
    assert (shown["pingpong_workers"], shown["pingpong_busy_workers"]) == (10, 1)
    assert shown["pingpong_event_loop_stall_seconds"] >= 0
    assert shown["process_resident_memory_bytes"] > 0


def test_the_next_service_on_this_machine_takes_the_next_port(start):
    _, port = start()
    _, other = start(port)

    assert other > port
    assert get(port)[0].endswith("200 OK")
    assert get(other)[0].endswith("200 OK")


def test_other_paths_and_post_are_404(start):
    _, port = start()

    assert get(port, "/")[0].endswith("404 Not Found")
    assert get(port, "/metrics", "POST")[0].endswith("404 Not Found")


def test_a_service_that_has_stopped_does_not_answer(start):
    metrics, port = start()
    metrics.stop()

    with pytest.raises(ConnectionRefusedError):
        get(port)


def test_clients_that_send_nothing_do_not_delay_the_stop(start):
    metrics, port = start()
    with eventlet.Timeout(2), socket.create_connection(("127.0.0.1", port)):
        eventlet.sleep(0.05)
        metrics.stop()


def test_a_service_without_a_free_port_works_without_metrics(start, caplog, monkeypatch):
    _, port = start()  # any free port, because a running stack may use the first one
    monkeypatch.setattr("messaging.extensions.metrics.PORTS", 1)
    caplog.clear()
    with pytest.raises(IndexError):  # the log has no address of the metrics
        start(port)

    assert f"1 ports are in use, beginning at METRICS_PORT={port}" in caplog.text


def test_promtool_finds_nothing_wrong(start):
    promtool = shutil.which("promtool") or os.environ.get("PROMTOOL")
    if not promtool:
        pytest.skip("promtool is missing here: apt-get install prometheus, or set PROMTOOL.")
    metrics, port = start()
    metrics.meter.failed["pong", "refused"] += 1
    check = subprocess.run([promtool, "check", "metrics"], input=get(port)[1].encode(), capture_output=True, timeout=20)

    assert (check.returncode, check.stderr.decode()) == (0, "")


def test_the_longest_stall_of_the_last_minute_is_shown():
    clock = Clock()
    stalls = Stalls(clock)
    assert stalls.longest == 0
    for late in 0.1, 0.5, 0.2:
        stalls.add(late)
    clock.advance(WINDOW_SECONDS / 2)
    stalls.add(0.3)
    assert stalls.longest == 0.5

    clock.advance(WINDOW_SECONDS / 2 + 2)
    assert stalls.longest == 0.3
    clock.advance(WINDOW_SECONDS)
    assert stalls.longest == 0


def test_a_greenthread_that_blocks_the_others_is_noticed():
    clock, pauses = Clock(), iter([0.0, 1.5, 0.0])
    stalls = Stalls(clock, lambda seconds: clock.advance(seconds + next(pauses)))
    with pytest.raises(StopIteration):
        stalls.watch()

    assert stalls.longest == pytest.approx(1.5)
