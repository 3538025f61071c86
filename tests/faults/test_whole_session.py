"""After all the faults: every run of the session once more, from the topics' beginning."""

import pytest

from tests.faults.audit import Books
from tests.integration.ledger import Ledger


@pytest.mark.long
def test_every_run_of_this_session(stack):
    with Ledger(stack.brokers.kafka_bootstrap) as ledger:
        ledger.wait_until_consumed()
        books = Books(ledger)
    path, audited = "/runs?limit=100", 0
    while path:
        page = stack.get(path).json()
        for summary in page["runs"]:
            run = stack.get(f"/runs/{summary['id']}").json()
            if run["state"] == "done":
                books.check(run)
                audited += 1
        path = page["next"]

    assert audited
    assert not {id for id, _ in books.hops} - {id for id, stage in books.recorded if stage == "sent"}
