"""How the sending of a run ends: with its figures, or with one of these exceptions."""

from dataclasses import dataclass


class DeliveryFailed(Exception):
    """Kafka did not acknowledge every message. The text says why, and usually how many it acknowledged."""


class TooLarge(DeliveryFailed):
    """Kafka refuses messages of this size. Trying again does not help."""


class RunStopped(Exception):
    """The sending must stop, usually because a user ended the run or the service stops. The text says how many messages
    were sent."""


class StoppedForGood(RunStopped):
    """Nobody will continue the run. Usually a user ended it. Trying again would send a new run."""


class CallAgain(Exception):
    """This instance stops, or Kafka does not answer. The call goes back into its queue, and the run continues later."""

    def __init__(self) -> None:
        super().__init__("not finished here; the call goes back into its queue")


class Superseded(Exception):
    """Another instance sends the run now. The call goes back into its queue, in case that instance fails."""

    def __init__(self) -> None:
        super().__init__("another instance has taken the run over")


@dataclass(frozen=True)
class Figures:
    """The sender's measurement: `seconds` from the first send to the last acknowledgement."""

    num_messages: int
    size: int
    seconds: float

    def as_json(self) -> dict[str, float]:
        """Return the five figures of the specification; a MB is 10^6 bytes of payload."""
        return {
            "num_messages": self.num_messages,
            "size": self.size,
            "total time": self.seconds,
            "byte rate (MB/s)": self.num_messages * self.size / self.seconds / 1e6,
            "message rate (msg/s)": self.num_messages / self.seconds,
        }
