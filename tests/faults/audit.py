"""Audits runs: compares the messages in Kafka with `GET /runs/ID`, topic `run-states` and the committed offsets.

`client.verify` compares the counts. This module also compares message numbers, keys and offsets.
"""

import json
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from uuid import UUID

from pyroaring import BitMap

from client.runs import Run
from client.verify import counting
from client.verify.counting import STAMP
from client.verify.judging import TOPICS, Verdict, judge
from client.verify.reading import Reading
from messaging.clients.protocols import Fetched, Partition
from tests.integration.ledger import Ledger
from tests.kafka import client_at


@dataclass
class Stage:
    """One stage of a run, as topic `run-states` records it."""

    numbers: BitMap = field(default_factory=BitMap)
    failed: BitMap = field(default_factory=BitMap)
    """The numbers of the messages that Kafka did not take."""


STAGES = {"pong": ("pong_received", "pong_answered"), "ping": ("ping_received",)}
"""The stages of each service. A message is on record at all of them before its offset is committed."""


def by_run(keys: Iterable[bytes | None]) -> dict[str, set[bytes]]:
    """Return the stamps among these keys, by run."""
    stamps = defaultdict(set)
    for key in keys:
        if key and len(key) == STAMP.size and key != b"\xff" * STAMP.size:  # test_messages sends such a key
            stamps[key[:16]].add(key)
    return {str(UUID(bytes=run)): keys for run, keys in stamps.items()}


class Books:
    """The messages and records in `ping`, `pong` and `run-states`. `runs` are the JSON of GET /runs/ID."""

    def __init__(self, ledger: Ledger, runs: Iterable[dict]):
        self._keys: dict[tuple[str, str], set[bytes]] = defaultdict(set)
        """The stamps of each run in each topic."""
        self._counter = counting.Counter()
        self._tallies = {run["id"]: self._expect(run) for run in runs}
        starts = {
            Partition(topic, n): offset for topic in ("pong", "ping") for n, offset in ledger.starts(topic).items()
        }
        with closing(client_at(ledger.servers).reader()) as reader:
            Reading(reader, ["pong", "ping"], starts).to_end(self._take)
        self.recorded = recorded(ledger)

    def _expect(self, run: dict) -> dict[str, counting.Tally]:
        expected = UUID(run["id"]), run["num_messages"], run["size"]
        return {topic: self._counter.expect(topic, *expected) for topic in TOPICS[run["service"]]}

    def _take(self, messages: Fetched) -> None:
        self._counter.add(messages)
        for run, stamps in by_run(messages.keys).items():
            self._keys[run, messages.topic] |= stamps

    @property
    def ids(self) -> set[str]:
        """The ids of the runs that have messages in the topics."""
        return {run for run, _ in self._keys}

    def verdict(self, run: dict) -> Verdict:
        """The verdict of `client verify` about a run."""
        return judge(Run.from_json(run), self._tallies[run["id"]])

    def lost(self, run: dict) -> int:
        """Return how many acknowledged messages are missing, plus how many stored ones lack an answer.

        Refused answers do not count.
        """
        first, last = self._ends(run)
        unstored = self.acknowledged(run) - first.numbers
        return len(unstored) + len(first.numbers - last.numbers) - self.refused(run)

    def refused(self, run: dict) -> int:
        """Return how many answers Kafka has refused, according to the services."""
        answered = self.recorded[run["id"], "pong_answered"]
        return len(answered.failed - answered.numbers)

    def duplicates(self, run: dict) -> int:
        """Return how many messages of the run are extra copies. This is the sum over all topics of the run."""
        return sum(tally.twice for tally in self._tallies[run["id"]].values())

    def acknowledged(self, run: dict) -> BitMap:
        """Return the numbers of the messages that Kafka has acknowledged, according to the services.

        If the run is done, Kafka has acknowledged all its messages.
        """
        if run["state"] == "done":
            return BitMap(range(run["num_messages"]))
        return self.recorded[run["id"], "sent"].numbers

    def check(self, run: dict) -> None:
        """Raise AssertionError unless GET /runs/ID says the same as the topics."""
        assert not self.verdict(run).differences, run
        first, last = self._ends(run)
        assert not self.acknowledged(run) - first.numbers, "acknowledged, but not in the topic"
        sent, *answered = (self._keys.get((run["id"], topic), set()) for topic in TOPICS[run["service"]])
        assert all(keys <= sent for keys in answered), "an answer has a key that was not sent"
        expected = {"sent": self.acknowledged(run), "pong_received": first.numbers}
        for stage in run["stages"]:
            assert self.recorded[run["id"], stage].numbers == expected.get(stage, last.numbers), stage
        if run["state"] == "done":
            assert {stage["missing"] for stage in run["stages"].values()} == {0}
        else:
            assert run["reason"]

    def _ends(self, run: dict) -> tuple[counting.Tally, counting.Tally]:
        """The messages in the first topic of the run, and in the last one."""
        tallies = [*self._tallies[run["id"]].values()]
        return tallies[0], tallies[-1]


def recorded(ledger: Ledger) -> dict[tuple[str, str], Stage]:
    """Return what is on record in topic `run-states`, by run and stage. Only the newest value of a key counts."""
    newest = {
        record.key: record.value for record in ledger.records("run-states") if record.key and record.key.count(b"/") > 1
    }
    stages: dict[tuple[str, str], Stage] = defaultdict(Stage)
    for key, value in newest.items():
        try:
            state = json.loads(value or "null")
        except ValueError:  # a foreign record, from test_messages
            continue
        if isinstance(state, dict) and "numbers" in state:
            run, name, _ = key.decode(errors="replace").split("/", 2)
            stages[run, name].numbers |= _bitmap(state["numbers"])
            stages[run, name].failed |= _bitmap(state["failed"])
    return stages


def check_committed(ledger: Ledger) -> None:
    """Raise AssertionError if pong or ping has committed a message that is not on record as handled or refused."""
    committed = {service: ledger.committed(service, service) for service in STAGES}
    handled = recorded(ledger)  # read after the commits, so that it is at least as new
    for service, offsets in committed.items():
        records = ledger.records(service)
        keys = (record.key for record in records if record.offset < offsets.get(record.partition, 0))
        for run, stamps in by_run(keys).items():
            numbers = BitMap(STAMP.unpack(stamp)[1] for stamp in stamps)
            for stage in STAGES[service]:
                unknown = numbers - handled[run, stage].numbers - handled[run, stage].failed
                assert not unknown, f"messages {unknown} of {run} are committed, but not on record as {stage}"


def _bitmap(text: str) -> BitMap:
    return BitMap.deserialize(b64decode(text))
