"""Lets the services of a design bounce messages, and kills the services meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from benchmarks import BenchmarkError
from benchmarks.designs.services import Progress, Services

LOOK_SECONDS = 0.1
QUIET_SECONDS = 2
"""After the last answer, a bounce waits for late extra copies.

It ends when nothing has changed for this many seconds.
"""
STALLED_SECONDS = 90


@dataclass(frozen=True)
class Kill:
    """`bounce` kills `service` when topic ping has the fraction `part` of all expected answers."""

    service: str
    part: float


KILLS = Kill("pong", 1 / 3), Kill("ping", 2 / 3)


class Watcher(Protocol):
    """Receives the progress and the kills."""

    def progress(self, progress: Progress) -> None: ...
    def killed(self, service: str, answers: int) -> None: ...


@dataclass(frozen=True)
class Bounced:
    """The figures of a bounce."""

    run: UUID
    kills: int
    seconds: float
    """From the request until the last change of the counts."""


def bounce(
    services: Services,
    answers: Callable[[], int],
    messages: int,
    watcher: Watcher,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Bounced:
    """Send the messages, kill services as in KILLS, and wait for the last answer.

    `answers` returns the approximate number of messages in topic ping.

    Raises BenchmarkError if a service ends by itself, or if nothing changes for STALLED_SECONDS.
    """
    started = changed_at = clock()
    run = services.send(messages)
    before: tuple[Progress, int] | None = None
    kills = [*KILLS]
    while True:
        count = answers()
        if kills and count >= kills[0].part * messages:
            services.kill_and_restart(kills[0].service)
            watcher.killed(kills.pop(0).service, count)
        services.check()
        now = services.progress(), count
        if now != before:
            before, changed_at = now, clock()
            watcher.progress(now[0])
        quiet = clock() - changed_at
        if now[0].over and quiet >= QUIET_SECONDS:
            return Bounced(run, len(KILLS) - len(kills), changed_at - started)
        if quiet >= STALLED_SECONDS:
            raise BenchmarkError(f"Nothing has changed for {STALLED_SECONDS} s: {now[0].stages}")
        sleep(LOOK_SECONDS)
