"""The order of a run's records in topic `run-requests` decides the standing of the run."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.journal.requests import KINDS, PARTITION, RUN_REQUESTS, RequestRecord, Standing, decode
from messaging.journal.requests_writer import RequestsWriter
from tests.unit.api_fakes import RUN, Records, Topics, asked

REQUEST = asked(run=RUN)


@pytest.fixture
def records():
    return Records(REQUEST)


def standing_of(*made: RequestRecord) -> Standing:
    standing = Standing()
    for record in made:
        standing.apply(record)
    return standing


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_comes_back_as_it_was_written(kind):
    request = REQUEST if kind in ("accepted", "claim") else None
    record = RequestRecord(RUN, kind, "host:1/a", request, "why" if kind in ("failed", "incomplete") else None)

    assert decode(record.key, record.value, 7) == replace(record, offset=7)


@pytest.mark.parametrize(
    ("key", "value"),
    [(None, b"{}"), (f"{RUN}/stop/".encode(), None), (b"x/stop/", b"{}"), (f"{RUN}/stop".encode(), b"{}"),
     (f"{RUN}/reconsidered/".encode(), b"{}"), (f"{RUN}/accepted/".encode(), b"{}"),
     (f"{RUN}/failed/".encode(), b"[]")],
)  # fmt: skip
def test_decoding_a_foreign_record_is_an_error(key, value):
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(key, value, 0)


@pytest.mark.parametrize("order", list(permutations(["queued", "claim", "failed"])), ids=" ".join)
def test_a_failure_counts_only_if_it_comes_before_queued_and_before_claim(records, order):
    standing = standing_of(records.accepted(), *(getattr(records, kind)() for kind in order))

    assert (standing.failed is not None) == (order[0] == "failed")
    assert standing.under_way


def test_of_two_failures_the_reason_of_the_first_counts(records):
    assert standing_of(records.accepted(), records.failed("first"), records.failed("second")).failed == "first"


@pytest.mark.parametrize("first", ["accepted", "claim"])
def test_of_two_requests_the_first_wins_whoever_writes_it(records, first):
    other = Records(asked("pong", 99, 1, run=RUN))
    standing = standing_of(getattr(records, first)("first"), other.accepted("second"), other.claim("third"))

    assert (standing.accepted_by, standing.request) == ("first", REQUEST)


def test_of_two_claims_the_second_counts_even_if_a_copy_of_the_first_follows(records):
    assert standing_of(records.claim("one"), records.claim("two")).claims == ["one", "two"]
    assert standing_of(records.claim("one"), records.claim("two"), records.claim("one")).claims == ["one", "two"]


@given(st.lists(st.sampled_from(["accept", "queued", "claim", "stop", "failed"]), max_size=12))
def test_compaction_changes_nothing(kinds):
    topics = Topics()
    writer = RequestsWriter(lambda: topics)
    for number, kind in enumerate(kinds):
        request, run = (REQUEST, f"{kind} {number}"), (RUN, f"{kind} {number}")
        extra = {"accept": request, "claim": request, "failed": run, "queued": (RUN, number % 2 == 0)}
        getattr(writer, kind)(*extra.get(kind, (RUN,)))

    def read() -> Standing:
        return standing_of(*(decode(key, value, offset) for offset, key, value in topics.records[RUN_REQUESTS]))

    before = read()
    topics.compact()
    assert read() == before


def test_records_go_to_one_partition_so_that_all_readers_see_the_same_order():
    sent = []

    class Producer:
        def send(self, *arguments):
            sent.append(arguments)

    RequestsWriter(Producer).stop(RUN)
    assert [(topic, partitions) for topic, _, _, partitions in sent] == [(RUN_REQUESTS, [PARTITION.number])]
