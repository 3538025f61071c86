"""RPC over RabbitMQ: nameko's entrypoint, with a limit on calls and an orderly stop.

There are three differences from nameko's own. First, calls cannot take all workers, because the Kafka consumer needs
one. Second, when a service must stop, it finishes the calls that it has begun, and leaves all others in their queue.
(nameko closes the connection at once. RabbitMQ then gives the unfinished calls to another instance, which carries them
out again.) Third, waits for RabbitMQ have a timeout: at start, for a reply, and when stopping.
"""

import logging
import time
from collections import deque
from typing import Any

import eventlet
import nameko.rpc
from amqp.exceptions import AMQPError, MessageNacked
from eventlet import Timeout
from kombu import Message
from kombu.exceptions import OperationalError

from messaging.extensions.queue import CALLS_AT_ONCE, RETRY_SECONDS, QueueConsumer
from messaging.extensions.stopping import Stopping
from messaging.runs.outcome import CallAgain, Superseded

log = logging.getLogger(__name__)

SUPERSEDED_SECONDS = 10
"""The pause before a call goes back if another instance sends its run now. Most runs are over by then."""

REDELIVERED = "redelivered"
"""The key in a worker's context data. Its value is True if RabbitMQ may have delivered the call twice."""


class RpcConsumer(nameko.rpc.RpcConsumer):
    """Carries out at most CALLS_AT_ONCE calls at the same time. All other calls wait.

    This limit also applies to calls that RabbitMQ delivers again after a lost connection.
    """

    stopping = Stopping()
    queue_consumer = QueueConsumer()

    def __init__(self) -> None:
        super().__init__()
        self._running = 0
        self._waiting: deque[tuple[Any, Message]] = deque()

    def handle_message(self, body: Any, message: Message) -> None:
        if self._running >= CALLS_AT_ONCE:
            # If the connection is lost while the call waits, another instance may get it too. Mark it as redelivered.
            message.delivery_info["redelivered"] = True
        self._waiting.append((body, message))
        self._begin_calls()
        if self.stopping.asked:
            self.leave_waiting_calls()

    def _begin_calls(self) -> None:
        while self._waiting and self._running < CALLS_AT_ONCE and not self.stopping.asked:
            self._running += 1
            super().handle_message(*self._waiting.popleft())

    def leave_waiting_calls(self) -> None:
        """Leave the waiting calls to other instances.

        During a stop, nameko would reply "no such method" to each waiting call.
        """
        while self._waiting:
            self.queue_consumer.leave_message(self._waiting.popleft()[1])

    def ended(self) -> None:
        """Note that a call has ended. Begin one that waits."""
        self._running -= 1
        self._begin_calls()

    def handle_result(self, message: Message, result: Any, exc_info: Any) -> Any:
        try:
            return self._reply(message, result, exc_info)
        finally:
            self.ended()

    def _reply(self, message: Message, result: Any, exc_info: Any) -> Any:
        """Reply, but wait no longer than a stop may take: RabbitMQ may be frozen, or take no messages.

        A timeout inside kombu does not help: kombu catches it, closes the channel, and waits for RabbitMQ again. So the
        reply runs in its own greenthread, which can be killed.
        """
        replying = eventlet.spawn(self._try_to_reply, message, result, exc_info)
        with Timeout(self.stopping.left, False):
            while not replying.dead:
                replying.wait()  # may return too early, see `in_a_thread`
        if replying.dead:  # even if the time is over, because both may have ended together
            return replying.wait()
        replying.kill()
        return self._give_up(message, "RabbitMQ did not answer in time", result, exc_info)

    def _try_to_reply(self, message: Message, result: Any, exc_info: Any) -> Any:
        try:
            return super().handle_result(message, result, exc_info)
        except KeyError as error:  # a message of another program, without the properties of a call
            return self._give_up(message, f"the message is no call: {error!r}", result, exc_info)
        except (OSError, AMQPError, OperationalError, MessageNacked) as error:  # nameko would end the service
            return self._give_up(message, str(error), result, exc_info)

    def _give_up(self, message: Message, reason: str, result: Any, exc_info: Any) -> tuple[Any, Any]:
        log.warning("a reply was lost: %s", reason)
        self.queue_consumer.ack_message(message)
        return result, exc_info


class Rpc(nameko.rpc.Rpc):
    """nameko's `rpc`, with the three differences at the top of this file."""

    stopping = Stopping()
    rpc_consumer = RpcConsumer()

    def stop(self) -> None:
        self.stopping.ask()
        self.rpc_consumer.leave_waiting_calls()
        super().stop()

    def handle_result(self, message: Message, worker_ctx: Any, result: Any, exc_info: Any) -> Any:
        error = exc_info[1] if exc_info else None
        if not isinstance(error, CallAgain | Superseded):
            return super().handle_result(message, worker_ctx, result, exc_info)
        try:
            self._give_away(message, error)
        finally:
            self.rpc_consumer.ended()
        return result, exc_info

    def _give_away(self, message: Message, error: Exception) -> None:
        """End the call here without a reply. It goes back into its queue.

        The call must go back even if another instance sends the run. If that instance has lost its connection to
        RabbitMQ, it has lost its call too. If it then fails, only this call can continue the run.
        """
        queue = self.rpc_consumer.queue_consumer
        put_back_at = time.monotonic() + (SUPERSEDED_SECONDS if isinstance(error, Superseded) else RETRY_SECONDS)
        while queue.holds(message) and not self.stopping.asked and time.monotonic() < put_back_at:
            time.sleep(0.1)
        if self.stopping.asked:
            queue.leave_message(message)
        else:
            queue.requeue_message(message)

    def unpack_message_headers(self, message: Message) -> dict[str, Any]:
        return {**super().unpack_message_headers(message), REDELIVERED: bool(message.delivery_info.get("redelivered"))}


rpc = Rpc.decorator
