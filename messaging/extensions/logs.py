"""Keeps tracebacks of expected errors out of the log, because their texts say everything."""

import logging

from messaging.runs.outcome import CallAgain, DeliveryFailed, RunStopped, Superseded


class NoTraceback(logging.Filter):
    """nameko logs an exception of a handler as an error with a traceback. But the four below are outcomes, not bugs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], CallAgain | DeliveryFailed | RunStopped | Superseded):
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
