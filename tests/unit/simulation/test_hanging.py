"""A producer whose messages are never acknowledged. librdkafka's producer may do this after an outage."""

from messaging.clients.errors import Aborted
from tests.unit.simulation.clients import Producer
from tests.unit.simulation.world import World, violations


class Hanging(Producer):
    """The first producer of each id never gets an acknowledgement."""

    def commit(self, seconds, offsets=None, membership=None) -> None:
        if self._epoch == 1:
            raise Aborted("Kafka has not acknowledged all messages in time")
        super().commit(seconds, offsets, membership)


def test_a_receiver_goes_on_with_new_clients_if_its_first_producer_hangs():
    world = World(receiver_producer=Hanging)
    world.finish()

    assert violations(world.kafka) == []
