"""One fault: the runs that it meets, and their audit."""

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
"""The messages of a run, in a quick pass and with --repeat. The run must last until the fault."""

RATE = 25_000
"""With --repeat, runs with confluent-kafka send so many messages per second. So they last as long as the faults do."""


@dataclass
class Row:
    """The result of a fault, for a row of the table at the end."""

    fault: str
    runs: int = 0
    messages: int = 0
    lost: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    """From the end of the fault to the end of the last run."""
    failed: int = 0
    """How many runs did not end `done`, but said why."""


class Trial:
    """The runs that a fault meets, and their results. A run has `messages` messages by default."""

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
        """Runs that have messages in the topics, but were not followed."""

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
        """Start a run of ping and one of pong, `times` as large as usual. Wait until both have sent a part."""
        messages = min(self.messages * times, 1_000_000)
        paths = [self.start("ping", messages), self.start("pong", messages // 2)]
        eventually(lambda: all(map(self._is_under_way, paths)), what="the runs do not begin")
        assert self._any_under_way(), "the runs have ended already: the fault would meet nothing"

    def follow(self, path: str) -> str:
        """Also audit the run at this path."""
        self.paths.append(path)
        return path

    def run(self, path: str) -> dict:
        return self.stack.get(path).json()

    def _is_under_way(self, path: str) -> bool:
        return all(stage["messages"] > 2000 for stage in self.run(path)["stages"].values())

    @contextmanager
    def fault(self) -> Iterator[None]:
        """The fault happens within this block. At least one run must still be under way at its end."""
        yield
        self._healed = time.monotonic()
        # A quick pass checks for losses. The time to recover is measured with --repeat.
        assert not self.long or not self.paths or self._any_under_way(), "all runs were over before the fault was"

    def _any_under_way(self) -> bool:
        newest_first = reversed(self.paths)  # the older ones may end while it asks
        return any(self.run(path)["state"] not in FINAL for path in newest_first)

    def finish(self, states: tuple[str, ...] = ("done",), seconds: float = 90) -> None:
        """Wait until all runs have ended in one of these states, then compare all accounts."""
        eventually(lambda: all(self.run(path)["state"] in FINAL for path in self.paths), seconds, "a run does not end")
        ended = time.monotonic()
        self.ledger.wait_until_consumed(60)
        books = Books(self.ledger, [self.run(path) for path in self.paths])
        runs = [self.run(path) for path in self.paths]  # again, because now the API has read everything on record

        self._row.runs += len(runs)
        self._row.messages += sum(run["num_messages"] for run in runs)
        self._row.lost += sum(map(books.lost, runs))
        self.duplicates = sum(map(books.duplicates, runs))
        self.strangers = books.ids - {run["id"] for run in runs}
        self._row.duplicates += self.duplicates
        self._row.seconds = max(self._row.seconds, ended - (self._healed or ended))
        self._row.failed += sum(run["state"] != "done" for run in runs)
        for run in runs:
            books.check(run)
            assert run["state"] in states, run
        check_committed(self.ledger)
        if EXACTLY_ONCE:
            assert self.duplicates == 0
