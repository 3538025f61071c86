"""Starts runs, lets a fault happen while they are under way, and audits them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.faults.audit import Books, check_committed
from tests.integration.ledger import Ledger
from tests.integration.processes import FINAL, Stack, eventually

CLIENT = os.environ.get("KAFKA_CLIENT") or "kafka-python"
CONFLUENT = CLIENT == "confluent-kafka"

EXACTLY_ONCE = os.environ.get("DELIVERY") == "exactly-once"
"""True if the services must repeat nothing, whatever goes wrong."""

MESSAGES = {"kafka-python": (40_000, 100_000), "confluent-kafka": (160_000, 250_000)}
"""The number of messages of a run, in a quick pass and with --repeat. The run must last until the fault."""

RATE = 25_000
"""With --repeat, runs with confluent-kafka send this many messages per second, so that they outlast the faults."""


@dataclass
class Row:
    """The results of a fault: one row of the table at the end."""

    fault: str
    runs: int = 0
    messages: int = 0
    lost: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    """The longest time from the end of the fault to the end of its last run."""
    failed: int = 0
    """How many runs ended `failed`, with a reason."""


class Trial:
    """The runs during a fault, and their results. A run has `messages` messages by default."""

    def __init__(self, stack: Stack, ledger: Ledger, row: Row, long: bool):
        self.stack = stack
        self.ledger = ledger
        self.long = long
        quick_pass, repeated = MESSAGES[CLIENT]
        self.messages = repeated if long else quick_pass
        self._rate = RATE if long and CONFLUENT else None
        self._row = row
        self.paths: list[str] = []
        """The paths of the audited runs."""
        self._healed: float | None = None
        self.duplicates = 0
        self.strangers: set[str] = set()
        """The ids of runs that have messages in the topics, but are not in `paths`."""

    def start(
        self, service: str = "ping", messages: int | None = None, size: int = 100, rate: int | None = None
    ) -> str:
        """Start a run and return its path."""
        rate = rate or self._rate
        query = f"?rate={rate}" if rate else ""
        answer = self.stack.request("POST", f"/{service}/{messages or self.messages}/{size}{query}")
        assert answer.status_code == 202, answer.text
        return self.follow(answer.headers["Location"])

    def start_both(self, times: int = 1) -> None:
        """Start a run of ping with `times` times the usual number of messages, and a run of pong with half as many.

        Wait until every stage of both runs has counted more than 2,000 messages.
        """
        messages = min(self.messages * times, 1_000_000)
        paths = [self.start("ping", messages), self.start("pong", messages // 2)]
        eventually(lambda: all(map(self._is_under_way, paths)), what="the runs do not begin")
        assert self._any_under_way(), "the runs have ended before the fault"

    def follow(self, path: str) -> str:
        """Audit the run at this path too. Return the path."""
        self.paths.append(path)
        return path

    def run(self, path: str) -> dict:
        return self.stack.get(path).json()

    def _is_under_way(self, path: str) -> bool:
        return all(stage["messages"] > 2000 for stage in self.run(path)["stages"].values())

    @contextmanager
    def fault(self) -> Iterator[None]:
        """The fault happens within this block. With --repeat, at least one run must still be under way at the end."""
        yield
        self._healed = time.monotonic()
        # If all runs ended earlier, the time until they recover cannot be measured. A quick pass allows that.
        assert not self.long or not self.paths or self._any_under_way(), "all runs ended before the fault did"

    def _any_under_way(self) -> bool:
        # Ask about the newest run first. It could end while this loop asks about older runs.
        newest_first = reversed(self.paths)
        return any(self.run(path)["state"] not in FINAL for path in newest_first)

    def finish(self, states: tuple[str, ...] = ("done",), seconds: float = 90) -> None:
        """Wait until all runs have ended. Audit them, and fail if one is not in these states."""
        eventually(lambda: all(self.run(path)["state"] in FINAL for path in self.paths), seconds, "a run does not end")
        ended = time.monotonic()
        self.ledger.wait_until_consumed()
        books = Books(self.ledger, [self.run(path) for path in self.paths])
        runs = [self.run(path) for path in self.paths]  # ask again, because the API has read more meanwhile

        self._row.runs += len(runs)
        self._row.messages += sum(run["num_messages"] for run in runs)
        self._row.lost += sum(map(books.lost, runs))
        self.duplicates = sum(map(books.duplicates, runs))
        self.strangers = books.ids - {run["id"] for run in runs}
        self._row.duplicates += self.duplicates
        self._row.seconds = max(self._row.seconds, ended - (self._healed or ended))
        self._row.failed += sum(run["state"] == "failed" for run in runs)
        for run in runs:
            books.check(run)
            assert run["state"] in states, run
        check_committed(self.ledger)
        if EXACTLY_ONCE:
            assert self.duplicates == 0
