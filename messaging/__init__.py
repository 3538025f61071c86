"""What ping and pong share: nameko extensions for Kafka and RPC, and the statistics of what was consumed."""

from messaging.consumer import consume
from messaging.producer import TopicProducer
from messaging.rpc import rpc
from messaging.stats import ConsumerStats

__all__ = ["ConsumerStats", "TopicProducer", "consume", "rpc"]
