"""nameko extensions for Kafka and RabbitMQ, the parts of a service class."""

from messaging.extensions.consumer import consume
from messaging.extensions.rpc import rpc
from messaging.extensions.statistics import ConsumerStats
from messaging.extensions.topics import TopicProducer

__all__ = ["ConsumerStats", "TopicProducer", "consume", "rpc"]
