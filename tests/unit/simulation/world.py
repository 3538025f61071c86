"""One run through ping and pong in the simulation, and the conditions that it must meet."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from pyroaring import BitMap

from messaging.clients.protocols import Partition
from messaging.delivery.calls import Call
from messaging.journal.states import DONE, RUN_STATES, State, decode_state
from messaging.runs.stage import union
from tests.unit.simulation.actors import Message, Queue, Receiver, Sender
from tests.unit.simulation.clients import Producer
from tests.unit.simulation.kafka import ABORTED, Entry, Kafka

RUN = UUID("3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11")
MESSAGES = 1000

ROUNDS = 600
"""`finish` waits for the end of the run for at most this many steps of each process."""

View = Callable[[Kafka, str], Mapping[Partition, Sequence[Entry]]]
"""Returns the messages of a topic that a reader sees."""


class World:
    """Five processes, and a call to send one run. Ping has two senders and one receiver. Pong has two receivers."""

    def __init__(self, sender_producer: type[Producer] = Producer, receiver_producer: type[Producer] = Producer):
        self.kafka = Kafka()
        call = Call(MESSAGES, 1, str(RUN), queued=True, created=1)
        self.queue = Queue(deque([Message(call)]))
        self._sender_producer, self._receiver_producer = sender_producer, receiver_producer
        self._dead: list[Receiver | Sender] = []
        self.actors: list[Receiver | Sender] = [self._sender(), self._sender()]
        self.actors += [self._receiver(service, slot) for service, slot in (("pong", 0), ("pong", 1), ("ping", 0))]

    def _sender(self) -> Sender:
        return Sender(self.kafka, self.queue, self._sender_producer)

    def _receiver(self, service: str, slot: int) -> Receiver:
        return Receiver(self.kafka, service, slot, self._receiver_producer)

    def step(self, index: int) -> None:
        self.actors[index].step()
        if self.actors[index].is_dead:
            self._replace(index)

    def crash(self, index: int) -> None:
        """Kill a process and start another one in its place."""
        self.actors[index].kill()
        self._replace(index)

    def _replace(self, index: int) -> None:
        actor = self.actors[index]
        self._dead.append(actor)
        if isinstance(actor, Sender):
            self.actors[index] = self._sender()
        else:
            self.actors[index] = self._receiver(actor.service, actor.slot)

    def end_sessions(self) -> None:
        """Let the groups drop dead members."""
        for actor in self._dead:
            self.end_session_of(actor)

    def end_session_of(self, actor: Receiver | Sender) -> None:
        """Let the groups drop the members of a process, as if its last poll was too long ago."""
        for group in self.kafka.groups.values():
            for member in [*group.members, *(group.joining or ())]:
                if member.startswith(f"{actor.name}."):
                    group.expel(member)

    def time_out(self, name: str) -> None:
        """Let Kafka abort the open transaction of an id, as if it had taken too long."""
        self.kafka.fence(name)

    def finish(self, is_over: Callable[[], bool] | None = None) -> None:
        """Continue without faults until the run is over. Then do 40 rounds more, because duplicates may come late."""
        is_over = is_over or (lambda: bool(self.queue.answered) and not violations(self.kafka))
        for number in range(ROUNDS):
            self._go_round()
            if number % 20 == 19:
                self.end_sessions()
                self._time_out_the_dead()
                if is_over():
                    break
        for _ in range(40):
            self._go_round()

    def _go_round(self) -> None:
        self.kafka.clock.advance(0.03)
        for index in range(len(self.actors)):
            self.step(index)

    def _time_out_the_dead(self) -> None:
        names = {actor.transactional_id for actor in self.actors if isinstance(actor, Receiver)}
        under_way = any(actor.message for actor in self.actors if isinstance(actor, Sender))
        for name in list(self.kafka.open):
            if name not in names and not under_way:
                self.kafka.end(name, ABORTED)
                self.kafka.epochs[name] += 1


def violations(kafka: Kafka, view: View = Kafka.committed) -> list[str]:
    """Return the problems at the end: lost, repeated or disordered messages, wrong records, a lag, a wrong outcome."""
    wrong = twice_or_disordered(kafka, view)
    for topic in "pong", "ping":
        got = {number for numbers in numbers_of(kafka, topic, view).values() for number in numbers}
        wrong += [f"{topic}: {MESSAGES - len(got)} lost"] if len(got) != MESSAGES else []
    for stage in "sent", "pong_received", "pong_answered", "ping_received":
        states = states_of(kafka, stage, view)
        total, distinct = sum(state.stage.messages for state in states), union(state.stage for state in states)
        if total != MESSAGES or distinct != BitMap(range(MESSAGES)):
            wrong.append(f"on record as {stage}: {total} messages, {len(distinct)} distinct")
    for group in "pong", "ping":
        left = {p: len(kafka.logs[p]) - kafka.groups[group].offsets.get(p, 0) for p in view(kafka, group)}
        wrong += [f"lag of {group}: {left}"] if any(left.values()) else []
    outcomes = [state.sender.outcome for state in states_of(kafka, "sent", view) if state.sender]
    return wrong if outcomes.count(DONE) == 1 else [*wrong, f"outcomes {outcomes}"]


def twice_or_disordered(kafka: Kafka, view: View = Kafka.committed) -> list[str]:
    """Return the problems that must not exist at any time, during the run or after it."""
    wrong = []
    for topic in "pong", "ping":
        by_partition = numbers_of(kafka, topic, view)
        everything = [number for numbers in by_partition.values() for number in numbers]
        if len(everything) != len(set(everything)):
            wrong.append(f"{topic}: {len(everything) - len(set(everything))} twice")
        elif any(numbers != sorted(numbers) for numbers in by_partition.values()):
            wrong.append(f"{topic}: out of order")
    return wrong


def numbers_of(kafka: Kafka, topic: str, view: View) -> Mapping[Partition, list[int]]:
    return {p: [int.from_bytes(entry.key[16:24]) for entry in entries] for p, entries in view(kafka, topic).items()}


def states_of(kafka: Kafka, stage: str, view: View) -> list[State]:
    newest = {entry.key: entry.value for entries in view(kafka, RUN_STATES).values() for entry in entries}
    decoded = [decode_state(key, value) for key, value in newest.items()]
    return [state for _, name, _, state in decoded if name == stage]
