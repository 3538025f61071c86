"""The pong service alone."""

from unittest.mock import call

import pytest
from nameko.testing.services import worker_factory

from messaging.runs.batch import Batch
from pong import PongService

BATCH = Batch("pong", partitions=[0], keys=[b"key"], values=[b"value"], poll_seconds=0.0)


def test_the_handler_counts_a_batch_and_returns_its_answers():
    service = worker_factory(PongService)

    assert service.answer(BATCH) is service.ping_topic.forward.return_value
    assert service.ping_topic.forward.mock_calls == [call(BATCH)]
    assert service.stats.record.mock_calls == [call(BATCH)]


def test_a_batch_whose_answering_fails_is_not_counted_because_it_comes_again():
    service = worker_factory(PongService)
    service.ping_topic.forward.side_effect = RuntimeError

    with pytest.raises(RuntimeError):
        service.answer(BATCH)
    assert service.stats.record.mock_calls == []
