"""The signals that ask a program to end."""

import signal
from collections.abc import Callable
from types import FrameType

SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
"""Ctrl-C, `kill`, and a terminal that is closed."""


def on_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in SIGNALS:
        signal.signal(number, handler)


def ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: a second Ctrl-C must not leave a broker behind."""
    # SIG_IGN is not used: if a signal arrives just before SIG_IGN is set, Python prints a traceback.
