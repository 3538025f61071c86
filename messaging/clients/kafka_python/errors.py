"""Translates kafka-python's errors into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import KafkaError, MessageSizeTooLargeError

from messaging.clients.errors import ClientError, TooLarge, Unavailable


def translate(error: BaseException) -> ClientError:
    """Return our error for this one."""
    if isinstance(error, ClientError):
        return error
    return (TooLarge if isinstance(error, MessageSizeTooLargeError) else Unavailable)(repr(error))


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors instead of kafka-python's, and instead of an OSError."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise translate(error) from error
