"""One fault, from the runs it meets to the audit of what has become of them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.faults.audit import Books, check_committed
from tests.integration.ledger import Ledger
from tests.integration.processes import FINAL, Stack, eventually

EXACTLY_ONCE = os.environ.get("DELIVERY") == "exactly-once"
"""True if the services are to repeat nothing, whatever goes wrong."""

MESSAGES = {"kafka-python": (40_000, 100_000), "confluent-kafka": (160_000, 250_000)}
"""How many messages a run has, in a quick pass and with --repeat. They must last until a fault meets them."""


@dataclass
class Row:
    """What was seen of a fault, as the table at the end gives it."""

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
    """Runs that a fault meets, and what came of them. `messages` is how many a run has by default."""

    def __init__(self, stack: Stack, ledger: Ledger, row: Row, long: bool):
        self.stack = stack
        self.ledger = ledger
        self.long = long
        quick_pass, repeated = MESSAGES[os.environ.get("KAFKA_CLIENT") or "kafka-python"]
        self.messages = repeated if long else quick_pass
        self._row = row
        self.paths: list[str] = []
        """Where the runs are that are audited."""
        self._healed: float | None = None
        self.duplicates = 0
        self.strangers: set[str] = set()
        """Runs of which the topics hold messages, but which were not followed."""

    def start(self, service: str = "ping", messages: int | None = None, size: int = 100) -> str:
        """Have a run accepted and return where it is to be found."""
        answer = self.stack.request("POST", f"/{service}/{messages or self.messages}/{size}")
        assert answer.status_code == 202, answer.text
        return self.follow(answer.headers["Location"])

    def start_both(self, times: int = 1) -> None:
        """Start a run of ping and one of pong, `times` as large as usual; wait until both are in the middle of it."""
        messages = min(self.messages * times, 1_000_000)
        paths = [self.start("ping", messages), self.start("pong", messages // 2)]
        eventually(lambda: all(map(self._is_under_way, paths)), what="the runs do not begin")
        assert self._any_under_way(), "the runs have ended already: the fault would meet nothing"

    def follow(self, path: str) -> str:
        """Have the run at this path audited as well."""
        self.paths.append(path)
        return path

    def run(self, path: str) -> dict:
        return self.stack.get(path).json()

    def _is_under_way(self, path: str) -> bool:
        return all(stage["messages"] > 2000 for stage in self.run(path)["stages"].values())

    @contextmanager
    def fault(self) -> Iterator[None]:
        """What goes wrong, and its end, which some run must live to see."""
        yield
        self._healed = time.monotonic()
        # A quick pass is there for what is lost. How long it takes to recover is measured with --repeat.
        assert not self.long or not self.paths or self._any_under_way(), "all runs were over before the fault was"

    def _any_under_way(self) -> bool:
        return any(self.run(path)["state"] not in FINAL for path in self.paths)

    def finish(self, states: tuple[str, ...] = ("done",), seconds: float = 90) -> None:
        """Wait until all runs have ended, in one of these states, then compare what everybody says."""
        eventually(lambda: all(self.run(path)["state"] in FINAL for path in self.paths), seconds, "a run does not end")
        ended = time.monotonic()
        self.ledger.wait_until_consumed(60)
        books = Books(self.ledger, [self.run(path) for path in self.paths])
        runs = [self.run(path) for path in self.paths]  # once more: by now the API has read what is on record

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
