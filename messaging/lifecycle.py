"""How a service starts and stops: waiting for its brokers with a bound, telling its extensions to come to an end."""

import gc
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from nameko.extensions import SharedExtension

from messaging import config

log = logging.getLogger(__name__)
T = TypeVar("T")

STARTUP_SECONDS = 120
"""How long a service that starts waits for a broker. Whatever runs it (compose, a user) starts it again after that."""

STOP_SECONDS = 4
"""How long the batch in hand and its acknowledgements may take after SIGTERM, before they are left to be redelivered.

Less than half of the 10 s docker-compose gives a container: closing the connections comes on top."""


class Stopping(SharedExtension):
    """One per service: whether, and for how long already, it has been told to stop."""

    _since: float | None = None

    def bind(self, container) -> "Stopping":
        # All that connects has this one, and nameko binds everything before it sets up anything.
        config.check(container.config)
        return super().bind(container)

    def ask(self) -> None:
        """Tell the extensions to come to an end."""
        if self._since is None:
            self._since = time.monotonic()

    @property
    def asked(self) -> bool:
        return self._since is not None

    @property
    def left(self) -> float:
        """How many seconds are left to come to an end, a little in any case."""
        gone = 0.0 if self._since is None else time.monotonic() - self._since
        return max(0.1, STOP_SECONDS + 1 - gone)

    @property
    def overdue(self) -> bool:
        """Whether it is time to give up on what is still being waited for."""
        return self._since is not None and time.monotonic() - self._since > STOP_SECONDS


def wait_for(
    what: str,
    attempt: Callable[[], T],
    errors: tuple[type[Exception], ...],
    stopping: Stopping,
    seconds: float = STARTUP_SECONDS,
    final: tuple[type[Exception], ...] = (),
) -> T:
    """What `attempt` returns, once it does so without one of `errors`; `what` names it in the log.

    Raises one of `errors` that is `final` at once, the last of the others after `seconds`. Asked to stop, the process
    exits with 0: it has nothing to finish yet.
    """
    started = time.monotonic()
    while True:
        if stopping.asked:
            raise SystemExit(0)
        waited = time.monotonic() - started
        try:
            return attempt()
        except final:
            raise
        except errors as error:
            if waited >= seconds:
                if seconds:  # else the caller did not want to wait at all
                    log.critical("gave up on %s after %.0f s: %s", what, waited, error)
                raise
            log.warning("waiting for %s (%.0f of %d s): %s", what, waited, seconds, error)
        time.sleep(2)


def calm_garbage_collector() -> None:
    """Have Python look for garbage less often: a quarter of the time of sending went there.

    kafka-python makes several objects per message that live until the acknowledgement, so that most passes of the
    collector walk over all of them and find nothing. What was made up to now is left out of it for good.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
