"""The contract of every client, `messaging.clients.protocols`, tested with a real Kafka.

A client is tested by a class that inherits this one and has a fixture `client`:

    class TestSomeClient(ClientContract):
        @pytest.fixture
        def client(self, brokers): ...
"""

from tests.clients.parts.admin import AdminContract
from tests.clients.parts.consumer import ConsumerContract
from tests.clients.parts.outages import OutageContract
from tests.clients.parts.producer import ProducerContract
from tests.clients.parts.reader import ReaderContract
from tests.clients.parts.rebalances import RebalanceContract


class ClientContract(
    ProducerContract, ReaderContract, ConsumerContract, RebalanceContract, AdminContract, OutageContract
):
    """The whole contract. The class of each library overrides the attributes that differ."""

    interruptible = True
    """A commit or close that takes too long ends."""
    small_polls = {"max_poll_records": 10}  # noqa: RUF012
    """A poll returns so few messages that the library has fetched more."""
    small_batches = {"batch_size": 1000}  # noqa: RUF012
    """The client hands Kafka batches of at most 1000 bytes, or single messages."""
    quick_rebalances = {"heartbeat_interval_ms": 200}  # noqa: RUF012
    """A member soon notices that another one joins or leaves."""
    short_membership = {"max_poll_interval_ms": 1500}  # noqa: RUF012
    """The group soon removes a member that does not poll."""
    splits_batches = True
    """The client sends the messages of a batch that is too large again, in smaller ones, and counts them."""
