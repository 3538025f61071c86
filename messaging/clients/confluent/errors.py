"""Translates librdkafka's errors into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from messaging.clients.errors import ClientError, Refused, TooLarge, Unavailable

TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
REFUSED = frozenset({KafkaError.INVALID_RECORD})

ERRORS = KafkaException, BufferError, RuntimeError
"""The errors of librdkafka's calls. A client that is closed raises a RuntimeError."""


def translate(error: KafkaError) -> ClientError:
    """Return our error for this one."""
    if error.code() in TOO_LARGE:
        return TooLarge(error.str())
    return (Refused if error.code() in REFUSED else Unavailable)(error.str())


def cause_of(error: BaseException) -> KafkaError | None:
    """Return the KafkaError inside a KafkaException, or None if there is no KafkaError."""
    cause = error.args[0] if isinstance(error, KafkaException) and error.args else None
    return cause if isinstance(cause, KafkaError) else None


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors instead of librdkafka's."""
    try:
        yield
    except ERRORS as error:
        cause = cause_of(error)
        raise (translate(cause) if cause else Unavailable(repr(error))) from error
