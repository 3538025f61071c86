"""The books of a run, kept by nobody under test: what Kafka holds, compared with what was promised and reported."""

import json
import struct
from base64 import b64decode
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b
from uuid import UUID

from pyroaring import BitMap

from tests.integration.ledger import Ledger, Record

TOPICS = {"ping": ("pong", "ping"), "pong": ("ping",)}
"""Through which topics the messages of a run go, by the service that sends it."""


@dataclass
class Stage:
    """What topic `run-states` says of one stage of a run."""

    numbers: BitMap = field(default_factory=BitMap)
    failed: int = 0
    """How many messages Kafka refused for good."""


@dataclass
class Hop:
    """What one topic holds of one run."""

    count: int = 0
    numbers: set[int] = field(default_factory=set)
    messages: set[tuple[bytes, int, bytes]] = field(default_factory=set)
    """Keys, and the sizes and hashes of values."""

    def add(self, number: int, record: Record) -> None:
        self.count += 1
        self.numbers.add(number)
        value = record.value or b""
        self.messages.add((record.key, len(value), blake2b(value, digest_size=8).digest()))


STAMP = struct.Struct(">16sQQ")
"""Run, number and time in a message's key."""


def stamp_of(record: Record) -> tuple[str, int] | None:
    """Run and number of one of our messages; None if it is somebody else's."""
    if len(record.key or b"") != STAMP.size or record.key == b"\xff" * STAMP.size:  # the latter by test_messages
        return None
    run, number, _ = STAMP.unpack(record.key)
    return str(UUID(bytes=run)), number


class Books:
    """What topics `ping`, `pong` and `run-states` hold, read by a client of its own."""

    def __init__(self, ledger: Ledger):
        self.hops: dict[tuple[str, str], Hop] = defaultdict(Hop)  # by run and topic
        for topic in "pong", "ping":
            for record in ledger.records(topic):
                if stamp := stamp_of(record):
                    self.hops[stamp[0], topic].add(stamp[1], record)
        self.recorded = recorded(ledger)

    def lost(self, run: dict) -> int:
        """How many messages were acknowledged and are not there, or have no answer."""
        hops = self._hops(run)
        unanswered = len(hops[0].messages - hops[-1].messages) - self.refused(run)
        return len(self.acknowledged(run) - hops[0].numbers) + unanswered

    def refused(self, run: dict) -> int:
        """How many messages have no answer because Kafka refused it, as the services say."""
        return self.recorded[run["id"], "pong_answered"].failed

    def duplicates(self, run: dict) -> int:
        """How many messages are there more than once, over all topics."""
        hops = self._hops(run)
        return sum(hop.count - len(hop.numbers) for hop in hops)

    def acknowledged(self, run: dict) -> set[int]:
        """The numbers of which the services say that Kafka has acknowledged them; all, where a run is done."""
        if run["state"] == "done":
            return set(range(run["num_messages"]))
        return set(self.recorded[run["id"], "sent"].numbers)

    def check(self, run: dict) -> None:
        """Raises AssertionError unless a run, as GET /runs/ID gives it, is what the topics hold."""
        hops = self._hops(run)
        sent, last = hops[0], hops[-1]
        attempted = set(range(run["num_messages"]))
        assert self.acknowledged(run) <= sent.numbers, "acknowledged, but not there"
        assert sent.numbers <= attempted, "there, but never sent"
        assert last.messages <= sent.messages, "something came back that was not sent"
        assert len(sent.messages - last.messages) == self.refused(run), "not every message came back"
        assert {size for _, size, _ in sent.messages} <= {run["size"]}

        for stage, numbers in self._stages(run).items():
            reported = run["stages"][stage]
            assert set(self.recorded[run["id"], stage].numbers) == numbers, stage
            assert reported["distinct"] == reported["messages"] - reported["duplicates"] == len(numbers), stage
        # Whatever is in the topic has been received, some of it perhaps twice.
        assert run["stages"]["ping_received"]["messages"] >= last.count
        if run["state"] == "done":
            assert {stage["missing"] for stage in run["stages"].values()} == {0}
        else:
            assert run["reason"]

    def _hops(self, run: dict) -> list[Hop]:
        """What the topics hold of it, in the order in which its messages go through them."""
        return [self.hops[run["id"], topic] for topic in TOPICS[run["service"]]]

    def _stages(self, run: dict) -> dict[str, set[int]]:
        """Which messages each stage must have seen, going by the topics."""
        hops = self._hops(run)
        first, last = hops[0].numbers, hops[-1].numbers
        between = {"pong_received": first, "pong_answered": last} if run["service"] == "ping" else {}
        return {"sent": self.acknowledged(run), **between, "ping_received": last}


def recorded(ledger: Ledger) -> dict[tuple[str, str], Stage]:
    """Return what is on record in topic `run-states`, by run and stage. Only the newest value of a key counts."""
    newest = {
        record.key: record.value for record in ledger.records("run-states") if record.key and record.key.count(b"/") > 1
    }
    stages: dict[tuple[str, str], Stage] = defaultdict(Stage)
    for key, value in newest.items():
        try:
            state = json.loads(value or "null")
        except ValueError:  # somebody else's: test_messages puts such there
            continue
        if isinstance(state, dict) and "numbers" in state:
            run, name, _ = key.decode(errors="replace").split("/", 2)
            stages[run, name].numbers |= BitMap.deserialize(b64decode(state["numbers"]))
            stages[run, name].failed += state["failed"]
    return stages


def check_committed(ledger: Ledger) -> None:
    """Raises AssertionError if pong or ping has committed a message that is not on record as handled or refused."""
    unhandled: Counter[tuple[str, str]] = Counter()
    for service in "pong", "ping":
        committed = ledger.committed(service, service)  # before the record, which then is as new at least
        handled = recorded(ledger)
        at = Counter(ledger.starts(service))
        for record in ledger.records(service):
            offset, at[record.partition] = at[record.partition], at[record.partition] + 1
            if offset < committed.get(record.partition, 0) and (stamp := stamp_of(record)):
                run, number = stamp
                stages = ["pong_received", "pong_answered"] if service == "pong" else ["ping_received"]
                unhandled.update((run, stage) for stage in stages if number not in handled[run, stage].numbers)
        for (run, stage), count in unhandled.items():
            assert count <= handled[run, stage].failed, f"{count} messages of {run} are committed, but not {stage}"
