"""Waiting for a condition."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], seconds: float, interval: float = 0.05) -> Value:
    """Call `condition` until it returns something true, and return that. After `seconds`, return its last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(interval)
    return value
