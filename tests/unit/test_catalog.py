"""Which runs an API process knows."""

from uuid import uuid4

import pytest

from api.runs.catalog import Catalog
from tests.unit.api_fakes import CREATED, Records, asked, seen


def add(catalog: Catalog, created: int = CREATED) -> Records:
    records = Records(asked(created=created))
    catalog.apply(records.accepted())
    return records


def ids(runs) -> list:
    return [run.id for run in runs]


def test_the_newest_come_first_in_pages():
    catalog = Catalog(10)
    known = [add(catalog, CREATED + number).request.run for number in range(5)]

    assert ids(catalog.newest(2)) == [known[4], known[3]]
    assert ids(catalog.newest(2, before=known[3])) == [known[2], known[1]]
    assert ids(catalog.newest(9, before=known[0])) == []


def test_there_is_no_page_after_an_unknown_run():
    with pytest.raises(KeyError):
        Catalog(10).newest(1, before=uuid4())


def test_only_the_newest_are_kept():
    catalog = Catalog(3)
    known = [add(catalog, CREATED + number).request.run for number in (5, 1, 3, 4, 2)]

    assert sorted(ids(catalog.newest(9)), key=known.index) == [known[0], known[2], known[3]]
    assert catalog.get(known[1]) is None


def test_a_run_is_shown_once_a_record_says_what_was_asked_for():
    catalog = Catalog(10)
    records = Records(asked())
    catalog.apply(records.stage("ping_received", seen([1])))
    assert catalog.get(records.request.run) is None

    catalog.apply(records.accepted())
    assert catalog.get(records.request.run).view(CREATED, 30).stages["ping_received"].messages == 1


def test_of_runs_that_nobody_asked_for_only_some_are_remembered():
    catalog = Catalog(2)
    strangers = [Records(asked(created=CREATED + number)) for number in range(3)]
    for records in strangers:
        catalog.apply(records.stage("ping_received", seen([1])))
    for records in strangers:
        catalog.apply(records.accepted())

    first, last = catalog.newest(9)[-1], catalog.newest(9)[0]
    assert [run.view(CREATED, 30).stages["ping_received"].messages for run in (last, first)] == [1, 1]
    assert len(catalog.newest(9)) == 2


def test_a_withdrawn_run_is_gone_and_its_id_can_be_used_again():
    catalog = Catalog(10)
    records = add(catalog)
    catalog.apply(records.withdrawn())
    assert catalog.get(records.request.run) is None

    catalog.apply(records.accepted("second"))
    assert catalog.get(records.request.run).accepted_by == "second"


def test_runs_that_are_over_or_stalled_are_not_under_way():
    catalog = Catalog(10)
    add(catalog)
    stopped = add(catalog)
    catalog.apply(stopped.stop())

    assert catalog.unfinished(CREATED + 1, 30) == 1
    assert catalog.unfinished(CREATED + 31_000_000, 30) == 0
