"""The catalog of runs that an API process knows."""

from uuid import uuid4

import pytest

from api.runs.catalog import Catalog
from tests.unit.api_fakes import CREATED, Records, asked, seen


def apply(catalog: Catalog, made):
    """Give a record to the catalog. Return its run, or None if the run was dropped."""
    if hasattr(made, "state"):
        return catalog.apply_state(made.run, made.stage, made.key, made.state, made.offset)
    return catalog.apply_request(made)


def add(catalog: Catalog, created: int = CREATED) -> Records:
    records = Records(asked(created=created))
    apply(catalog, records.accepted())
    return records


def ids(runs) -> list:
    return [run.id for run in runs]


def test_the_newest_runs_come_first_in_pages():
    catalog = Catalog(10)
    known = [add(catalog, CREATED + number).request.run for number in range(5)]

    assert ids(catalog.newest(2)) == [known[4], known[3]]
    assert ids(catalog.newest(2, before=known[3])) == [known[2], known[1]]
    assert ids(catalog.newest(9, before=known[0])) == []


def test_there_is_no_page_after_an_unknown_run():
    with pytest.raises(KeyError):
        Catalog(10).newest(1, before=uuid4())


def test_only_the_runs_that_came_last_are_kept_regardless_of_their_creation_times():
    catalog = Catalog(3)
    known = [add(catalog, CREATED + number).request.run for number in (5, 1, 3, 4, 2)]

    assert ids(catalog.newest(9)) == [known[3], known[2], known[4]]
    assert catalog.oldest == CREATED + 2
    assert catalog.get(known[0]) is None


def test_the_catalog_remembers_only_the_id_of_a_dropped_run():
    catalog = Catalog(1)
    old, new = add(catalog), add(catalog)

    assert catalog.is_dropped(old.request.run)
    assert not catalog.is_dropped(new.request.run)
    assert apply(catalog, old.accepted("again")) is None
    assert apply(catalog, old.sent("sending", seen([1]))) is None
    assert ids(catalog.newest(9)) == [new.request.run]


def test_a_run_is_shown_as_soon_as_a_record_has_its_request():
    catalog = Catalog(10)
    records = Records(asked())
    apply(catalog, records.stage("ping_received", seen([1])))
    assert catalog.get(records.request.run) is None

    apply(catalog, records.accepted())
    assert catalog.get(records.request.run).view(CREATED, 30).stages["ping_received"].messages == 1


def test_of_the_runs_without_a_request_only_the_newest_are_remembered():
    catalog = Catalog(2)
    strangers = [Records(asked(created=CREATED + number)) for number in range(3)]
    for records in strangers:
        apply(catalog, records.stage("ping_received", seen([1])))
    for records in (strangers[0], strangers[2]):
        apply(catalog, records.accepted())

    newest = [run.view(CREATED, 30) for run in catalog.newest(9)]
    assert [view.stages["ping_received"].messages for view in newest] == [1, 0]


class TestRunsUnderWay:
    LATER = CREATED + 31_000_000
    """By then, none of these runs has changed for over 30 s."""

    def test_runs_that_are_over_do_not_count(self):
        catalog = Catalog(10)
        add(catalog)
        stopped = add(catalog)
        apply(catalog, stopped.stop())

        assert catalog.unfinished(CREATED + 1, 30) == 1

    def test_runs_that_have_begun_and_stall_do_not_count(self):
        catalog = Catalog(10)
        apply(catalog, add(catalog).sent("sending", seen([1])))

        assert catalog.unfinished(CREATED + 1, 30) == 1
        assert catalog.unfinished(self.LATER, 30) == 0

    def test_runs_that_wait_to_begin_count_for_as_long_as_they_wait(self):
        catalog = Catalog(10)
        apply(catalog, add(catalog).queued())
        add(catalog)

        assert catalog.unfinished(self.LATER, 30) == 2
        assert len(catalog.stalled(self.LATER, 30)) == 2

    def test_a_stalled_run_whose_call_may_be_lost_does_not_count(self):
        catalog = Catalog(10)
        apply(catalog, add(catalog).queued(on_disk=False))

        assert [catalog.unfinished(at, 30) for at in (CREATED, self.LATER)] == [1, 0]
