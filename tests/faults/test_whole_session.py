"""After all faults, this test reads the whole topics. It checks each `done` run that the API still keeps."""

import pytest

from tests.faults.audit import Books
from tests.integration.ledger import Ledger


@pytest.mark.long
def test_every_done_run_that_the_api_keeps_is_complete(stack):
    path, runs = "/runs?limit=100", []
    while path:
        page = stack.get(path).json()
        runs += [stack.get(f"/runs/{summary['id']}").json() for summary in page["runs"]]
        path = page["next"]
    done = [run for run in runs if run["state"] == "done"]
    with Ledger(stack.brokers.kafka_bootstrap) as ledger:
        ledger.wait_until_consumed()
        books = Books(ledger, done)

    assert done
    for run in done:
        books.check(run)
    assert not books.ids - {id for id, stage in books.recorded if stage == "sent"}
