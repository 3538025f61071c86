"""The metrics that only the process of a service knows, in Prometheus' format, at METRICS_PORT or a port near it."""

import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from errno import EADDRINUSE
from typing import Any

import eventlet
from eventlet import wsgi
from nameko.extensions import SharedExtension
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from messaging.clients.protocols import Producer
from messaging.delivery.metering import Meter, MeteredProducer
from messaging.extensions.event_loop import Stalls
from messaging.extensions.stopping import settings_of

log = logging.getLogger(__name__)

ACKNOWLEDGED = "pingpong_client_acknowledged_messages"
FAILED = "pingpong_client_failed_messages"
AGAIN = "pingpong_client_repeated_messages"
RECEIVED = "pingpong_client_received_messages"
WORKERS = "pingpong_workers"
BUSY = "pingpong_busy_workers"
STALL = "pingpong_event_loop_stall_seconds"

PORTS = 100
"""The number of ports that a service tries."""

READ_SECONDS = 5
"""The timeout of a client's request, in seconds."""

CLIENTS = 8
"""At most this many clients are served at once."""


class ServiceMetrics(SharedExtension):
    """Each instance of a service has one. The other extensions count in `meter`."""

    def __init__(self) -> None:
        self.meter = Meter()
        self._producers: list[Producer] = []
        self._stalls = Stalls()
        self._greenthreads: list[Any] = []
        self._listener: Any = None

    def metered(self, producer: Producer, topic: str) -> Producer:
        """Return a producer that counts its messages. All of them must go to this topic."""
        self._producers.append(producer)
        self.meter.begin(topic)
        return MeteredProducer(producer, self.meter)

    def start(self) -> None:
        settings = settings_of(self.container)
        self._greenthreads.append(eventlet.spawn(self._stalls.watch))
        self._listener = listen(settings.metrics_host, settings.metrics_port)
        if self._listener is None:
            return  # a service without metrics is better than no service
        log.info("metrics at http://%s:%d/metrics", *self._listener.getsockname()[:2])
        options = {"log": logging.getLogger("eventlet.wsgi"), "log_output": False, "debug": False}
        limits = {"max_size": CLIENTS, "socket_timeout": READ_SECONDS, "keepalive": False}
        self._greenthreads.append(eventlet.spawn(wsgi.server, self._listener, self._respond, **options, **limits))

    def stop(self) -> None:
        for greenthread in self._greenthreads:
            greenthread.kill()
        if self._listener is not None:
            self._listener.close()

    kill = stop

    def _respond(self, environ: Mapping[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        """The WSGI application."""
        if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"There is only GET /metrics.\n"]
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(self)
        start_response("200 OK", [("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)])
        return [generate_latest(registry)]

    def collect(self) -> Iterator[Metric]:
        """Implements a collector of prometheus_client. docs/metrics.md says what each metric means."""
        meter = self.meter
        again = Counter(meter.sent_again)
        for producer in self._producers:
            again.update(producer.sent_again)
        yield _by_topic(ACKNOWLEDGED, "Messages that Kafka has acknowledged to this process.", meter.acknowledged)
        yield _by_topic(AGAIN, "Messages that this process has sent again.", again)
        yield _by_topic(RECEIVED, "Messages that this process has received.", meter.received)
        failed = CounterMetricFamily(FAILED, "Messages that could not be sent, by reason.", labels=["topic", "reason"])
        for labels, count in meter.failed.items():
            failed.add_metric(labels, count)
        yield failed
        yield GaugeMetricFamily(WORKERS, "Workers that this process has.", self.container.max_workers)
        yield GaugeMetricFamily(BUSY, "Workers that are busy.", len(self.container._worker_threads))
        yield GaugeMetricFamily(STALL, "The longest stall of the event loop in the last minute.", self._stalls.longest)


def _by_topic(name: str, text: str, counts: Mapping[str, int]) -> Metric:
    metric = CounterMetricFamily(name, text, labels=["topic"])
    for topic, count in counts.items():
        metric.add_metric([topic], count)
    return metric


def listen(host: str, port: int) -> Any:
    """Return a socket at this port, or at the next free one. If that fails, log why and return None."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = range(port, min(port + PORTS, 65536))
    for candidate in ports:
        try:
            # With reuse_port, two services would share a port.
            return eventlet.listen((host, candidate), family, reuse_port=False)
        except OSError as error:
            if error.errno != EADDRINUSE:
                log.error("no metrics at %s: %s", host, error.strerror)
                return None
    log.error("no metrics: %d ports are in use, beginning at METRICS_PORT=%d", len(ports), port)
    return None
