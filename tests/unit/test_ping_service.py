"""The specification's example: the ping service alone. nameko's `worker_factory` replaces its dependencies."""

from unittest.mock import call

from nameko.testing.services import worker_factory

from messaging.runs.batch import Batch
from ping import PingService


def test_send_sends_to_pong_and_returns_the_figures():
    service = worker_factory(PingService)
    service.pong_topic.send_run.return_value = {"num_messages": 100, "size": 10}

    assert service.send(100, 10) == {"num_messages": 100, "size": 10}
    assert service.pong_topic.send_run.mock_calls == [call(100, 10)]


def test_send_passes_on_the_id_of_the_run_and_the_options_of_the_call():
    service = worker_factory(PingService)
    service.send(100, 10, run_id="3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11", created=7, queued=True)

    assert service.pong_topic.send_run.mock_calls == [
        call(100, 10, run_id="3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11", created=7, queued=True)
    ]


def test_receive_counts_a_batch_and_sends_no_answer():
    service = worker_factory(PingService)
    batch = Batch("ping", partitions=[0], keys=[b"key"], values=[b"value"], poll_seconds=0.0)

    assert service.receive(batch) is None
    assert service.stats.record.mock_calls == [call(batch)]
    assert service.pong_topic.mock_calls == []
