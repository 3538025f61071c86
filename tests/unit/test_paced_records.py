"""The records of a paced run, and older records, from before paced runs existed."""

import json

from messaging.journal.requests import CLAIM, RequestRecord, decode
from messaging.journal.states import SENT, State
from messaging.journal.writer import JournalWriter
from tests.unit.api_fakes import CREATED, Records, asked, seen
from tests.unit.journal_producer import Producer

PACED = asked(rate=1000)


def without(value: bytes, *names: str) -> bytes:
    """Return the record as an older version would have written it."""
    members = json.loads(value)
    for name in names:
        assert members.pop(name, None) is None
    return json.dumps(members).encode()


def test_a_request_is_read_back_with_its_rate():
    record = RequestRecord(PACED.run, CLAIM, "host:1/a.1", PACED)

    assert decode(record.key, record.value, 0).request == PACED


def test_an_older_request_has_no_rate():
    record = RequestRecord(PACED.run, CLAIM, "host:1/a.1", asked(run=PACED.run))

    assert decode(record.key, without(record.value, "rate"), 0).request == asked(run=PACED.run)


def test_an_older_state_has_no_rate_no_start_and_no_end():
    state = Records(asked()).sent("sent", seen([0, 1])).state
    read = State.decode(state.sender.request.run, SENT, without(state.encode(), "rate", "start", "ended"))

    assert read.sender == state.sender
    assert read.sender.start is None


def test_the_start_is_in_every_state_of_a_run():
    producer = Producer()
    writer = JournalWriter(producer, "ping")
    writer.begin(PACED, "host:1/a.1", CREATED)
    writer.flush(0)
    producer.acknowledge()
    writer.end(PACED.run, "yielded")
    writer.flush(0)

    assert [(state["outcome"], state["rate"], state["start"]) for _, state in producer.records] == [
        ("sending", 1000, CREATED),
        ("yielded", 1000, CREATED),
    ]
