"""The errors of Kafka clients. An adapter raises no others."""


class ClientError(Exception):
    """Something went wrong with Kafka. `str` gives the reason."""

    too_large = False


class Unavailable(ClientError):
    """The call failed, for example because Kafka did not answer in time. It may succeed later."""


class Refused(ClientError):
    """Kafka or its client refuses this message for good. Sending it again does not help."""


class TooLarge(Refused):
    """Kafka refuses a message of this size."""

    too_large = True


class TooFewBrokers(ClientError):
    """A topic needs more replicas than there are running brokers."""


class Fenced(ClientError):
    """A newer producer or member has taken over. This one must stop."""


class Aborted(ClientError):
    """The transaction cannot be committed. Abort it; the same work may succeed in the next one."""


class OutcomeUnknown(ClientError):
    """It is unknown whether the transaction was committed. A new producer with the same id makes its outcome final.

    Also raised if this producer cannot be used any more."""


class Transactional(ClientError):
    """The library has received messages of a transaction, but cannot know if the transaction was committed."""

    def __init__(self, topic: str):
        super().__init__(
            f"Topic {topic} has messages of DELIVERY=exactly-once, and kafka-python also reads those that were aborted."
            " Set KAFKA_CLIENT=confluent-kafka, or use fresh topics."
        )
