"""Latencies in buckets: percentiles to within 1 %, and counts of several instances that add up."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as some

from messaging.runs.latencies import LONGEST, Latencies

FRACTIONS = 0.5, 0.9, 0.99, 1.0

columns = some.lists(some.integers(0, LONGEST), min_size=1, max_size=50)
"""Latencies of messages that came together, in microseconds."""


def counted(*batches: list[int]) -> Latencies:
    latencies = Latencies()
    for batch in batches:
        latencies.add(batch)
    return latencies


def exact(values: list[int]) -> list[float]:
    """The exact percentiles of these latencies, in ms."""
    ordered = sorted(values)
    ranks = [max(1, -(-round(fraction * 100) * len(ordered) // 100)) for fraction in FRACTIONS]
    return [ordered[rank - 1] / 1000 for rank in ranks]


@given(some.lists(columns, min_size=1, max_size=5))
def test_percentiles_are_right_to_within_one_percent(batches):
    found = counted(*batches).percentiles(FRACTIONS)

    assert found == pytest.approx(exact(list(chain(*batches))), rel=0.01)


@given(some.lists(columns, min_size=1, max_size=5))
def test_counts_of_several_instances_add_up(batches):
    apart, together = [counted(batch) for batch in batches], counted(list(chain(*batches)))
    total = Latencies.sum(apart)

    assert total.counts.total() == sum(map(len, batches))
    assert total.longest == together.longest == max(map(max, batches))
    assert total.percentiles(FRACTIONS) == pytest.approx(together.percentiles(FRACTIONS), rel=0.01)


@given(columns, columns)
def test_a_sum_does_not_change_its_parts(one, other):
    apart = counted(one), counted(other)
    before = [(dict(latencies.counts), latencies.longest) for latencies in apart]
    Latencies.sum(apart)

    assert [(dict(latencies.counts), latencies.longest) for latencies in apart] == before


def test_the_sum_of_no_latencies_is_empty():
    assert (Latencies.sum([]).counts.total(), Latencies.sum([]).longest) == (0, 0)


def test_small_latencies_are_exact():
    assert counted(list(range(1, 101))).percentiles(FRACTIONS) == [0.05, 0.09, 0.099, 0.1]


def test_there_are_few_buckets_for_many_different_latencies():
    assert len(counted(list(range(0, 10_000_000, 97))).counts) < 3000


@pytest.mark.parametrize(("latency", "counts_as"), [(-5, 0), (LONGEST, LONGEST), (10**15, LONGEST)])
def test_an_impossible_latency_counts_as_the_nearest_possible_one(latency, counts_as):
    (found,) = counted([latency]).percentiles([1.0])

    assert found == pytest.approx(counts_as / 1000, rel=0.01)


def test_an_impossible_latency_does_not_change_the_other_latencies_of_its_batch():
    latencies = counted([-7, 1000, 2000, 10**15])

    assert latencies.percentiles([0.25, 0.5, 0.75]) == pytest.approx([0, 1, 2], rel=0.01)
    assert latencies.longest == LONGEST
