"""What can go wrong with Kafka, in our words. An adapter raises nothing else."""


class ClientError(Exception):
    """Something went wrong with Kafka. `str` gives the reason."""

    too_large = False


class Unavailable(ClientError):
    """Kafka did not answer, or not in time. The same may succeed later."""


class Refused(ClientError):
    """Kafka will never take this message, so there is no use in sending it again."""


class TooLarge(Refused):
    """Kafka refuses a message of this size."""

    too_large = True


class TooFewBrokers(ClientError):
    """Fewer brokers run than a topic wants replicas."""


class Fenced(ClientError):
    """A newer producer or member has taken over. This one must stop."""


class Aborted(ClientError):
    """The transaction cannot be committed. Abort it; the same work may succeed in the next one."""


class OutcomeUnknown(ClientError):
    """Nobody can say now if the transaction was committed. Make a new producer with the same id: that settles it."""


class Transactional(ClientError):
    """A library that cannot tell committed messages from aborted ones has met a transaction."""

    def __init__(self, topic: str):
        super().__init__(
            f"Topic {topic} has messages of DELIVERY=exactly-once, and kafka-python also reads those that were aborted."
            " Set KAFKA_CLIENT=confluent-kafka, or use fresh topics."
        )
