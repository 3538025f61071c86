"""Compares the messages in the topics with what the API says about the run. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from client.runs import Run
from client.verify.counting import Tally

TOPICS = {"ping": ("pong", "ping"), "pong": ("ping",)}
"""For each service, the topics that the messages of its runs pass, in order."""


@dataclass(frozen=True)
class Figures:
    """The figures of a run in one topic."""

    messages: int
    distinct: int
    twice: int
    missing: int
    out_of_order: int
    changed: int


@dataclass(frozen=True)
class Verdict:
    """The result: the figures of the topics, and the differences from the API."""

    topics: Mapping[str, Figures]
    differences: Sequence[str]
    """One text each. Empty if topics and API agree."""
    notes: Sequence[str]
    """Differences that are allowed, one text each."""

    @property
    def agrees(self) -> bool:
        return not self.differences


def judge(run: Run, tallies: Mapping[str, Tally], exact: bool = False) -> Verdict:
    """Compare a run with the tally of each of its topics.

    `exact`: nothing was killed, so the duplicates must match. With exactly-once, they must always match and be 0.
    """
    once = run.delivery == "exactly-once"
    first, *later = TOPICS[run.service]
    differences = [*_sent(run, first, tallies[first])]
    for topic in later:
        differences += _answered(run, first, topic, tallies)
    for topic in TOPICS[run.service]:
        differences += _damaged(topic, tallies[topic])
        if once and tallies[topic].twice:
            copies = f"Extra copies of messages in topic {topic}: {tallies[topic].twice:,}."
            differences.append(f"{copies} There must be none.")
    differences += _stages(run, tallies)
    uneven = dict(_duplicates(run, tallies))
    wrong = [sentence for sentence, possible in uneven.items() if exact or once or not possible]
    return Verdict(
        {topic: _figures(run, topic, tallies) for topic in TOPICS[run.service]},
        [*differences, *wrong],
        [sentence for sentence in uneven if sentence not in wrong],
    )


def _figures(run: Run, topic: str, tallies: Mapping[str, Tally]) -> Figures:
    """Return the figures of a topic.

    In the first topic, `missing` counts acknowledged messages that are not there. In the other one, it counts messages
    of the first topic that have no answer.
    """
    tally, first = tallies[topic], tallies[TOPICS[run.service][0]]
    missing = len(first.numbers - tally.numbers) if tally is not first else run.stages["sent"].distinct - tally.distinct
    return Figures(tally.messages, tally.distinct, tally.twice, max(0, missing), tally.out_of_order, tally.changed)


def _sent(run: Run, topic: str, tally: Tally) -> Iterator[str]:
    acknowledged = run.stages["sent"].distinct
    if tally.distinct < acknowledged:
        yield f"Messages that Kafka has acknowledged: {acknowledged:,}. Topic {topic} holds {tally.distinct:,}."
    if run.state == "done" and acknowledged != run.num_messages:
        yield f"The run is done. Messages: {run.num_messages:,}. On record as sent: {acknowledged:,}."


def _answered(run: Run, first: str, topic: str, tallies: Mapping[str, Tally]) -> Iterator[str]:
    sent, answered = tallies[first].numbers, tallies[topic].numbers
    refused = run.stages["pong_answered"].failed
    if len(sent - answered) > refused:
        also = f" Kafka has refused {refused:,}." if refused else ""
        yield f"Messages of topic {first} that did not come back in topic {topic}: {len(sent - answered):,}.{also}"
    if answered - sent:
        yield f"Messages of topic {topic} that are not in topic {first}: {len(answered - sent):,}."


def _damaged(topic: str, tally: Tally) -> Iterator[str]:
    if tally.changed:
        yield f"Messages of topic {topic} whose payload has changed: {tally.changed:,}."
    if tally.out_of_order:
        yield f"Messages of topic {topic} that are out of order in their partition: {tally.out_of_order:,}."
    if tally.unasked:
        yield f"Messages of topic {topic} with numbers that the run does not have: {tally.unasked:,}."


def _places(run: Run) -> dict[str, str]:
    """Return the topic that each stage reads or writes."""
    first, last = TOPICS[run.service][0], TOPICS[run.service][-1]
    return {stage: first if stage in ("sent", "pong_received") else last for stage in run.stages}


def _stages(run: Run, tallies: Mapping[str, Tally]) -> Iterator[str]:
    """Compare `distinct` of all stages except `sent`.

    Fewer messages may be on record as `sent` than the topic holds, because Kafka may have stored messages without
    acknowledging them.
    """
    for stage, topic in _places(run).items():
        recorded, found = run.stages[stage].distinct, tallies[topic].distinct
        if stage != "sent" and recorded != found:
            yield f"Distinct messages of stage {stage} on record: {recorded:,}. Topic {topic} holds {found:,}."


def _duplicates(run: Run, tallies: Mapping[str, Tally]) -> Iterator[tuple[str, bool]]:
    """Yield a text for each stage whose duplicates differ from those of its topic, and True if that is allowed.

    A stage that writes may have recorded fewer: a killed process cannot record its last messages, and Kafka may have
    stored messages without acknowledging them. A stage that reads may have recorded more, because uncommitted messages
    come again. Any other difference is a counting mistake.
    """
    for stage, topic in _places(run).items():
        recorded, found = run.stages[stage].duplicates, tallies[topic].twice
        if recorded != found:
            possible = recorded > found if stage.endswith("_received") else recorded < found
            yield f"Duplicates of stage {stage} on record: {recorded:,}. Topic {topic} holds {found:,}.", possible
