"""The contract of every client, `messaging.clients.protocols`, tested with a real Kafka.

To test a client, write a class with two fixtures:

    class TestSomeClient(ClientContract):
        @pytest.fixture
        def client(self, brokers): ...

        @pytest.fixture
        def nowhere(self): ...  # a client for an address without a Kafka
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
    """True if a timeout can interrupt the library's blocking calls."""
    small_polls = {"max_poll_records": 10}  # noqa: RUF012
    """Options with which a poll returns fewer messages than the library has fetched."""
    small_batches = {"batch_size": 1000}  # noqa: RUF012
    """Options with which a batch has at most 1000 bytes, or a single larger message."""
    quick_rebalances = {"heartbeat_interval_ms": 200}  # noqa: RUF012
    """Options with which a member soon notices that another one joins or leaves."""
    short_membership = {"max_poll_interval_ms": 1500}  # noqa: RUF012
    """Options with which the group soon removes a member that does not poll."""
    splits_batches = True
    """True if the client splits a batch that is too large and sends the parts.

    The client then counts all messages of the batch in `sent_again`.
    """
