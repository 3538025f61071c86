"""`judge` compares the topics with the API, and describes each difference in a sentence."""

import uuid

import pytest

from client.runs import Run
from client.verify.counting import Tally
from client.verify.judging import Figures, Verdict, judge
from messaging.runs.payload import payloads

RUN = uuid.uuid4()
COUNT, SIZE = 10, 8
STAGES = {"ping": ("sent", "pong_received", "pong_answered", "ping_received"), "pong": ("sent", "ping_received")}


def api(service: str = "ping", state: str = "done", delivery: str = "at-least-once", **stages: dict[str, int]) -> Run:
    """Return a run as the API does. Each stage has seen each message once, unless `stages` has other figures."""
    empty = {"byte_rate": None, "message_rate": None, "latency_ms": None, "missing": 0, "failed": 0}
    usual = {"distinct": COUNT, "duplicates": 0} | empty
    members = {name: usual | stages.get(name, {}) for name in STAGES[service]}
    for stage in members.values():
        stage["messages"] = stage["distinct"] + stage["duplicates"]
    return Run.from_json(
        {
            "id": str(RUN), "service": service, "state": state, "reason": None, "stalled": None, "num_messages": COUNT,
            "size": SIZE, "rate": None, "created": "2026-11-23T08:31:49.910Z", "finished": None, "stages": members,
            "delivery": delivery,
        }
    )  # fmt: skip


def tally(numbers=range(COUNT), changed=()) -> Tally:
    """Return the tally of a topic with these numbers, in this order, in one partition.

    The messages with the numbers in `changed` have wrong values.
    """
    tally = Tally(RUN, COUNT, SIZE)
    values = payloads(RUN.bytes, [number + (number in changed) for number in numbers], SIZE)
    tally.add(0, numbers, values)
    return tally


def verdict(run: Run, pong=None, ping=None, exact=False) -> Verdict:
    return judge(run, {"pong": pong or tally(), "ping": ping or tally()}, exact)


@pytest.mark.parametrize("service", ["ping", "pong"])
def test_a_run_agrees_if_every_message_is_there_once_and_on_record(service):
    judged = verdict(api(service), exact=True)

    assert (judged.agrees, judged.differences, judged.notes) == (True, [], [])
    assert set(judged.topics.values()) == {Figures(COUNT, COUNT, 0, 0, 0, 0)}
    assert list(judged.topics) == (["pong", "ping"] if service == "ping" else ["ping"])


def test_a_run_of_pong_needs_no_messages_in_topic_pong():
    assert verdict(api("pong"), pong=tally([])).agrees


def test_an_acknowledged_message_that_is_not_in_its_topic_is_a_difference():
    judged = verdict(api("pong"), ping=tally(range(1, COUNT)))

    assert judged.differences == [
        "Messages that Kafka has acknowledged: 10. Topic ping holds 9.",
        "Distinct messages of stage ping_received on record: 10. Topic ping holds 9.",
    ]
    assert judged.topics["ping"].missing == 1


def test_a_message_without_an_answer_is_a_difference():
    judged = verdict(api(), ping=tally(range(1, COUNT)))

    assert "Messages of topic pong that did not come back in topic ping: 1." in judged.differences
    assert (judged.topics["pong"].missing, judged.topics["ping"].missing) == (0, 1)


def test_a_message_need_not_come_back_if_kafka_refused_its_answer():
    answered = {"distinct": COUNT - 1}
    stages = {"pong_answered": answered | {"failed": 1}, "ping_received": answered}

    assert verdict(api(state="failed", **stages), ping=tally(range(1, COUNT))).agrees
    judged = verdict(api(state="failed", **stages), ping=tally(range(2, COUNT)))
    assert "Messages of topic pong that did not come back in topic ping: 2. Kafka has refused 1." in judged.differences


def test_an_answer_without_its_message_is_a_difference():
    judged = verdict(api(), pong=tally(range(1, COUNT)))
    assert "Messages of topic ping that are not in topic pong: 1." in judged.differences


def test_a_run_that_is_not_done_may_have_sent_more_than_is_on_record():
    stages = {name: {"distinct": 6} for name in STAGES["ping"][1:]}
    run = api(state="failed", sent={"distinct": 5}, **stages)

    assert verdict(run, tally(range(6)), tally(range(6))).agrees
    assert not verdict(run, tally(range(4)), tally(range(4))).agrees


def test_a_run_that_is_done_has_all_its_messages_on_record_as_sent():
    judged = verdict(api("pong", sent={"distinct": COUNT - 1}))
    assert judged.differences == ["The run is done. Messages: 10. On record as sent: 9."]


def test_a_changed_payload_is_a_difference():
    judged = verdict(api(), ping=tally(changed=[3, 4]))

    assert judged.differences == ["Messages of topic ping whose payload has changed: 2."]
    assert judged.topics["ping"].changed == 2


def test_a_message_out_of_order_is_a_difference():
    judged = verdict(api(), pong=tally([1, 0, *range(2, COUNT)]))
    assert judged.differences == ["Messages of topic pong that are out of order in their partition: 1."]


def test_a_number_that_the_run_does_not_have_is_a_difference():
    judged = verdict(api(), ping=tally([*range(COUNT), COUNT]))
    assert judged.differences == ["Messages of topic ping with numbers that the run does not have: 1."]


@pytest.mark.parametrize("stage", STAGES["ping"][1:])
def test_a_stage_after_sent_must_have_as_many_distinct_messages_as_its_topic(stage):
    topic = "pong" if stage == "pong_received" else "ping"
    assert verdict(api(**{stage: {"distinct": 9}})).differences == [
        f"Distinct messages of stage {stage} on record: 9. Topic {topic} holds 10."
    ]


class TestDuplicates:
    def test_a_run_agrees_if_the_record_and_the_topics_have_the_same_number_of_duplicates(self):
        twice = tally([0, *range(COUNT)])
        stages = {name: {"duplicates": 1} for name in STAGES["ping"]}

        assert verdict(api(**stages), twice, twice, exact=True).agrees

    @pytest.mark.parametrize("stage", ["sent", "pong_answered"])
    def test_a_stage_that_writes_may_record_fewer_duplicates_than_its_topic_holds_but_not_more(self, stage):
        twice = tally([0, *range(COUNT)])
        topic = "pong" if stage == "sent" else "ping"
        reading = {"pong_received" if stage == "sent" else "ping_received": {"duplicates": 1}}
        sentence = f"Duplicates of stage {stage} on record: 0. Topic {topic} holds 1."

        less = verdict(api(**reading), **{topic: twice})
        assert (less.differences, less.notes) == ([], [sentence])
        exact = verdict(api(**reading), **{topic: twice}, exact=True)
        assert (exact.differences, exact.notes) == ([sentence], [])
        assert not verdict(api(**{stage: {"duplicates": 1}})).agrees

    @pytest.mark.parametrize("stage", ["pong_received", "ping_received"])
    def test_a_stage_that_reads_may_record_more_duplicates_than_its_topic_holds_but_not_fewer(self, stage):
        topic = stage.removesuffix("_received")
        more = verdict(api(**{stage: {"duplicates": 1}}))

        assert more.notes == [f"Duplicates of stage {stage} on record: 1. Topic {topic} holds 0."]
        assert more.agrees
        assert not verdict(api(**{stage: {"duplicates": 1}}), exact=True).agrees
        assert not verdict(api(), **{topic: tally([0, *range(COUNT)])}).agrees

    def test_exactly_once_allows_no_duplicates_on_record_or_in_a_topic(self):
        assert verdict(api(delivery="exactly-once")).agrees
        assert not verdict(api(delivery="exactly-once", pong_received={"duplicates": 1})).agrees

        twice = verdict(api(delivery="exactly-once"), pong=tally([0, *range(COUNT)]))
        assert "Extra copies of messages in topic pong: 1. There must be none." in twice.differences
