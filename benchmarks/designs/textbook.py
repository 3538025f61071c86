"""The textbook design: nameko-kafka, used as its documentation shows.

benchmarks/contenders/textbook.py has the handlers for received messages. Here ping can also send.
"""

from uuid import UUID

from nameko.rpc import rpc

from benchmarks.contenders.textbook import TextbookPing, TextbookPong
from messaging.runs.payload import payloads
from messaging.runs.stamp import stamps

__all__ = ["SendingPing", "TextbookPong"]


class SendingPing(TextbookPing):
    name = "textbook_ping"

    @rpc
    def send(self, run: str, num_messages: int, size: int) -> int:
        """Send the same messages as our ping does. Return how many of them Kafka has acknowledged."""
        run_id, futures = UUID(run).bytes, []
        for number in range(num_messages):
            [key], [value] = stamps(run_id, [number]), payloads(run_id, [number], size)
            futures.append(self.producer.send("pong", key=key, value=value))
        self.producer.flush()
        return sum(future.succeeded() for future in futures)
