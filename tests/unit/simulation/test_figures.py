"""The figures in the reply of a sender, with exactly-once."""

import time

from messaging.runs.stamp import unpack
from tests.unit.simulation.clients import Producer
from tests.unit.simulation.world import World


class Slow(Producer):
    """A producer whose commits take a while."""

    committed_at = 0

    def commit(self, seconds, offsets=None, membership=None) -> None:
        time.sleep(0.02)
        super().commit(seconds, offsets, membership)
        Slow.committed_at = time.time_ns() // 1000


def test_the_total_time_of_a_run_includes_its_last_commit():
    world = World(Slow)
    world.finish()

    (message,) = world.queue.answered
    stamps = [unpack(entry.key) for entries in world.kafka.committed("pong").values() for entry in entries]
    assert message.figures.seconds >= (Slow.committed_at - min(stamp[2] for stamp in stamps)) / 1e6
