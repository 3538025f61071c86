"""Designs of ping and pong that send, answer and count. Each one starts its services and asks them to send."""

import os
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID, uuid4

from benchmarks import BenchmarkError
from benchmarks.contenders.loops import SIZE
from benchmarks.designs.services import Progress, Services
from benchmarks.site import Site
from client.http import Api
from local.ports import HOST, free_port
from local.runner import get
from local.services import API, NAMEKO_RUN, PING, PONG, api_address

# nameko imports eventlet, which warns that it is deprecated. This import must run in the main thread. Otherwise Python
# would wait forever at exit.
with warnings.catch_warnings(action="ignore"):
    from nameko.standalone.rpc import ServiceRpcProxy


@dataclass(frozen=True)
class Design:
    """One way to bounce messages between ping and pong."""

    name: str
    client: str
    """The Kafka client, as KAFKA_CLIENT names it."""
    messages: int
    start: Callable[[Site], Services]


class Ours(Services):
    """ping, pong and the API of this repository."""

    def __init__(self, site: Site, client: str, delivery: str, **settings: str):
        self._port = free_port()
        settings |= {"KAFKA_CLIENT": client, "DELIVERY": delivery, **api_address(self._port)}
        super().__init__(site, {"ping": PING, "pong": PONG, "api": API}, settings)
        self._api = Api(f"http://{HOST}:{self._port}")

    def are_ready(self) -> bool:
        return get(self._port, "/readyz", 10)[0] == 200

    def send(self, messages: int) -> UUID:
        self._url = self._api.start("ping", messages, SIZE)
        return UUID(self._url.rpartition("/")[2])

    def progress(self) -> Progress:
        run = self._api.get(self._url)
        if run.is_over and run.stages["sent"].distinct < run.num_messages:
            raise BenchmarkError(f"The run of {run.num_messages:,} messages has {run.state}: {run.reason}")
        stages = {"sent": "sent", "answered": "pong_answered", "received": "ping_received"}
        return Progress({name: run.stages[stage].distinct for name, stage in stages.items()}, run.is_over)


class Textbook(Services):
    """The services of benchmarks/designs/textbook.py. They write no journal, so Kafka's offsets show their progress."""

    def __init__(self, site: Site):
        modules = {
            "ping": "benchmarks.designs.textbook:SendingPing",
            "pong": "benchmarks.designs.textbook:TextbookPong",
        }
        super().__init__(site, {name: (*NAMEKO_RUN, module) for name, module in modules.items()}, {})
        self._thread = ThreadPoolExecutor(1)

    def are_ready(self) -> bool:
        return all(self.site.observer.is_stable(group) for group in ("textbook_ping", "textbook_pong"))

    def send(self, messages: int) -> UUID:
        run = uuid4()
        self._messages = messages
        self._before = {topic: self.site.observer.count(topic) for topic in ("ping", "pong")}
        self._reply: Future[int] = self._thread.submit(_call_textbook, str(run), messages)
        return run

    def progress(self) -> Progress:
        observer = self.site.observer
        replied = self._reply.done()
        if replied and self._reply.result() < self._messages:
            raise BenchmarkError(f"Kafka has acknowledged {self._reply.result():,} of {self._messages:,} messages.")
        waiting = observer.lag("textbook_ping", "ping")
        sent, answered = (observer.count(topic) - self._before[topic] for topic in ("pong", "ping"))
        over = replied and not waiting and not observer.lag("textbook_pong", "pong")
        return Progress({"sent": sent, "answered": answered, "received": max(0, answered - waiting)}, over)

    def end(self) -> None:
        super().end()
        self._thread.shutdown(wait=False, cancel_futures=True)


def _call_textbook(run: str, messages: int) -> int:
    """Call ping like any nameko service. Return how many messages Kafka has acknowledged."""
    with ServiceRpcProxy("textbook_ping", {"AMQP_URI": os.environ["AMQP_URI"]}) as ping:
        return int(ping.send(run, messages, SIZE))
