"""The result of a design. For all designs, the code of `client verify` counts the messages in the topics."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from benchmarks.contenders.loops import SIZE
from client.verify.counting import Counter, Tally
from client.verify.judging import TOPICS
from client.verify.reading import Reading
from messaging.clients import connect
from messaging.settings import KafkaSettings


@dataclass(frozen=True)
class Result:
    """The row of a design. Its fields are the members of the JSON object."""

    design: str
    client: str
    sent: int
    """The number of messages that Kafka has acknowledged to the sender."""
    lost: int
    """Sent messages that are not in topic ping."""
    twice: int
    """The number of extra copies of messages: the sum of both topics."""
    out_of_order: int
    """The number of messages that came after a higher number in their partition: the sum of both topics."""
    kills: int
    seconds: float
    """From the request until the last change of the counts. Kills are included."""
    message_rate: float
    """Messages per second in that time."""

    @classmethod
    def of(cls, design: str, client: str, messages: int, tallies: Mapping[str, Tally], kills: int, secs: float) -> Self:
        """Return the row of a design that has sent all its messages. `tallies` are those of topics pong and ping."""
        return cls(
            design=design,
            client=client,
            sent=messages,
            lost=messages - tallies["ping"].distinct,
            twice=sum(tally.twice for tally in tallies.values()),
            out_of_order=sum(tally.out_of_order for tally in tallies.values()),
            kills=kills,
            seconds=round(secs, 2),
            message_rate=round(messages / secs, 1),
        )


def count(servers: str, run: UUID, messages: int) -> Mapping[str, Tally]:
    """Read topics pong and ping from their beginning. Return the tally of the run in each. Raises Unavailable.

    librdkafka reads the topics of all designs. It skips messages of aborted transactions, and kafka-python does not.
    """
    client = connect(KafkaSettings(servers, consumer={}, producer={}, client="confluent-kafka"))
    counter = Counter()
    tallies = {topic: counter.expect(topic, run, messages, SIZE) for topic in TOPICS["ping"]}
    with closing(client.reader()) as reader:
        Reading(reader, [*tallies]).to_end(counter.add)
    return tallies
