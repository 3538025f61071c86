"""The problems that a client of the API gets when a call fails."""

from nameko.utils import sanitize_url

from api.problems import Problem
from api.rpc.connection import explain

NEW_KEY = "Try again, with a new Idempotency-Key."


class NotTaken(Problem):
    """RabbitMQ has not confirmed a call. The service may still get it."""

    def __init__(self, error: Exception):
        self.reason = (
            f"RabbitMQ did not take the call ({explain(error)}), so nothing is sent. Is RabbitMQ running?"
            " `rabbitmq-diagnostics alarms` shows if it is short of memory or disk space."
        )
        super().__init__(503, f"{self.reason} {NEW_KEY}")


class TakenAllTheSame(Problem):
    """RabbitMQ has not confirmed a call, but the service has it."""

    def __init__(self, service: str):
        super().__init__(
            503, f"RabbitMQ did not confirm the call, but {service} has it. The run goes on: see its link."
        )


class NotAnswered(Problem):
    """RabbitMQ has taken a call, and the service has not answered in time."""

    def __init__(self, service: str, seconds: int):
        super().__init__(
            504,
            f"{service} has not answered within {seconds} s; the run goes on, see its link. Ask for fewer or smaller"
            " messages, or for 202 with `Prefer: respond-async`. Or raise REQUEST_TIMEOUT.",
        )


class ConnectionLost(Problem):
    """RabbitMQ had taken a call, and the connection was lost before the reply. The service may still get the call."""

    def __init__(self, service: str, error: Exception):
        super().__init__(
            503,
            f"The connection to RabbitMQ was lost before {service} replied ({explain(error)}). The run may go on:"
            " see its link.",
        )


def not_running(service: str) -> Problem:
    return Problem(503, f"{service} is not running. Start it with `docker-compose up {service}`, or `make run`.")


def no_rabbitmq(uri: str, error: Exception) -> Problem:
    return Problem(
        503,
        f"RabbitMQ does not answer at {sanitize_url(uri)} ({explain(error)}). Start it with"
        " `docker-compose up rabbit`, or `make run`.",
    )


def not_finished(service: str, reason: str) -> Problem:
    return Problem(503, f"{service} did not finish: {reason}. Try again; its log says more.")
