"""The parts of the journal that an instance of a service uses."""

from typing import NamedTuple

from messaging.journal.claims import Claims
from messaging.journal.past import PastReader
from messaging.journal.requests_writer import RequestsWriter
from messaging.journal.writer import JournalWriter


class Journal(NamedTuple):
    """An instance writes its own records. It also reads records of the API and of other instances."""

    writer: JournalWriter
    requests: RequestsWriter
    claims: Claims
    past: PastReader
