"""ping and pong without the recording of runs, to see what that costs."""

from pyroaring import BitMap

from messaging.recorder import RunRecorder
from ping import PingService
from pong import PongService

__all__ = ["NoRecorder", "PingService", "PongService"]

# In the process of these services alone.
RunRecorder.received = RunRecorder.answered = lambda *_: None


class NoRecorder:
    """For sending a run that nobody asks about."""

    def sent_before(self, run) -> BitMap:
        return BitMap()

    def stop_asked(self, run) -> bool:
        return False

    def sending(self, run, **notes) -> None:
        pass

    def sent(self, *what) -> None:
        pass

    def publish(self) -> int:
        return 0

    def wait(self, mark, seconds) -> bool:
        return True
