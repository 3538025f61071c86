"""What the log need not show."""

import logging

from messaging.delivery import DeliveryFailed
from messaging.run import CallAgain, RunStopped


class NoTraceback(logging.Filter):
    """nameko logs whatever a handler raises as if it were a bug. Of these, meant for the caller, the text says all."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], CallAgain | DeliveryFailed | RunStopped):
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
