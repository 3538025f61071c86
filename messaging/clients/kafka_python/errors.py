"""kafka-python's errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import KafkaError, MessageSizeTooLargeError

from messaging.clients.errors import ClientError, TooLarge, Unavailable


def translate(error: BaseException) -> ClientError:
    """Return the error of ours that stands for this one."""
    if isinstance(error, ClientError):
        return error
    return (TooLarge if isinstance(error, MessageSizeTooLargeError) else Unavailable)(repr(error))


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors in place of kafka-python's, and of the OSError that it lets through."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise translate(error) from error
