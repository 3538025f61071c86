"""The parameters of requests, as typed values."""

from contextlib import nullcontext
from dataclasses import dataclass
from uuid import UUID

import pytest

from api.params import (
    BadParameter,
    Numbers,
    Preferences,
    check_wait,
    parse_key,
    parse_last_event_id,
    parse_numbers,
    parse_page,
    parse_preferences,
    parse_query,
)
from messaging.runs.request import Request

ID = UUID("3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11")


@dataclass(frozen=True)
class Limits:
    max_messages: int = 100
    max_size: int = 1000
    max_bytes: int = 10_000


def test_a_rate_is_a_number_of_messages_per_second():
    assert parse_numbers("100", "1", Limits(), "20") == Numbers(100, 1, 20)
    assert parse_numbers("100", "1", Limits(), "1000000").rate == 1_000_000
    assert parse_numbers("100", "1", Limits()).rate is None


@pytest.mark.parametrize("rate", ["", "x", "-1", "1.5", "1e3", "0", "1000001", "\uff11"])
def test_a_rate_that_is_out_of_range_or_not_a_whole_number_is_refused(rate):
    with pytest.raises(BadParameter, match=r"^rate must be a whole number"):
        parse_numbers("100", "1", Limits(), rate)


def test_a_run_may_take_25_minutes_and_no_longer():
    limits = Limits(max_messages=10_000)
    assert parse_numbers("1500", "1", limits, "1").rate == 1

    with pytest.raises(BadParameter, match=r"1501 messages at 1 per second take 1501.0 s, .* at most 1500 s"):
        parse_numbers("1501", "1", limits, "1")


@pytest.mark.parametrize(("num_messages", "rate", "waits"), [(1000, None, True), (599, 10, True), (600, 10, False)])
def test_a_client_waits_for_a_run_that_takes_less_than_the_timeout(num_messages, rate, waits):
    run = Request(ID, "ping", num_messages, 5, 0, rate)
    with nullcontext() if waits else pytest.raises(BadParameter, match=r"take 60.0 s, .* less than 60 s. Use POST"):
        check_wait(run, request_timeout=60)


def test_numbers_within_the_limits_are_accepted():
    assert parse_numbers("010", "1000", Limits()) == Numbers(10, 1000)
    assert parse_numbers("100", "0", Limits()) == Numbers(100, 0)


@pytest.mark.parametrize("text", ["", "x", "-1", "+1", " 1", "1 ", "1.0", "1e3", "1_0", "0x1", "\uff11", "9" * 19])
def test_only_plain_digits_are_a_number(text):
    for numbers in (text, "1"), ("1", text):
        with pytest.raises(BadParameter, match="must be a whole number of 1 to 18 digits"):
            parse_numbers(*numbers, Limits())


def test_a_problem_quotes_only_the_beginning_of_a_long_text():
    with pytest.raises(BadParameter) as raised:
        parse_numbers("x" * 5000, "1", Limits())

    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("numbers", "named"),
    [(("0", "1"), "num_messages"), (("101", "1"), "num_messages"), (("1", "1001"), "size"), (("11", "1000"), "times")],
)
def test_numbers_outside_the_limits_are_refused(numbers, named):
    with pytest.raises(BadParameter, match=named):
        parse_numbers(*numbers, Limits())


@pytest.mark.parametrize(
    ("header", "preferences", "applied"),
    [
        ("", Preferences(), ""),
        ("return=minimal, handling=lenient", Preferences(), ""),
        ("respond-async", Preferences(respond_async=True), "respond-async"),
        ("wait=5", Preferences(wait=5), "wait=5"),
        ("wait=0", Preferences(wait=0), "wait=0"),
        ("wait=3600", Preferences(wait=60), "wait=60"),
        ('wait="5"', Preferences(wait=5), "wait=5"),
        ("wait=5, respond-async", Preferences(True, 5), "respond-async, wait=5"),
        ("Respond-Async; x=1 , WAIT = 5;y", Preferences(True, 5), "respond-async, wait=5"),
        ('x="respond-async, wait=5"', Preferences(), ""),
    ],
)
def test_preferences_are_read_from_their_header(header, preferences, applied):
    parsed = parse_preferences(header, longest_wait=60)

    assert parsed == preferences
    assert parsed.applied == applied
    assert bool(parsed) == bool(applied)


@pytest.mark.parametrize(
    "header",
    [
        "wait", "wait=", "wait=soon", "wait=-1", "wait=1.5", "wait= 5 6", 'wait="5;6"', "wait=" + "9" * 5000,
        "respond-async=no", '"respond-async"', "=5", "wait=5=6", ",,", ";wait=5",
    ],
    ids=lambda header: header[:20],
)  # fmt: skip
def test_a_preference_that_cannot_be_applied_is_ignored(header):
    assert parse_preferences(header, longest_wait=60) == Preferences()


@pytest.mark.parametrize(
    ("header", "preferences"),
    [
        ("wait=5, wait=6", Preferences(wait=5)),
        ("WAIT=5, respond-async, wait=6", Preferences(True, 5)),
        ("wait=soon, wait=6", Preferences()),
        ("respond-async=no, respond-async", Preferences()),
    ],
)
def test_of_two_preferences_with_one_name_the_first_counts(header, preferences):
    assert parse_preferences(header, longest_wait=60) == preferences


def test_a_key_is_a_uuid():
    assert parse_key(None) is None
    assert parse_key(str(ID)) == parse_key(str(ID).upper()) == ID


@pytest.mark.parametrize(
    "header",
    ["", "42", "x" * 36, ID.hex, f'"{ID}"', f"{{{ID}}}", f"urn:uuid:{ID}", "1_000000-0000-0000-0000-000000000000"],
)
def test_a_key_that_is_not_a_uuid_in_its_usual_form_is_refused(header):
    with pytest.raises(BadParameter, match="Idempotency-Key must be a UUID"):
        parse_key(header)


def test_a_page_has_a_limit_and_perhaps_a_run_to_continue_from():
    assert parse_page([]) == (20, None)
    assert parse_page([("limit", "100"), ("before", str(ID))]) == (100, ID)
    assert parse_page([("limit", "1")]) == (1, None)


@pytest.mark.parametrize(
    "pair", [("limit", "0"), ("limit", "101"), ("limit", "x"), ("limit", ""), ("before", "x"), ("before", "")]
)
def test_wrong_parameters_of_a_page_are_refused(pair):
    with pytest.raises(BadParameter, match=f"^{pair[0]} must be"):
        parse_page([pair])


def test_a_query_parameter_that_is_repeated_is_refused():
    with pytest.raises(BadParameter, match="limit is repeated"):
        parse_page([("limit", "1"), ("limit", "1")])


@pytest.mark.parametrize(("known", "expected"), [(["limit", "before"], "only limit and before"), ([], "none")])
def test_a_query_parameter_that_is_misspelt_is_refused(known, expected):
    with pytest.raises(BadParameter, match=f"no query parameter 'Limit' here. This path accepts {expected}."):
        parse_query([("Limit", "1")], *known)


@pytest.mark.parametrize(("header", "seen"), [(None, -1), ("", -1), ("x", -1), ("-5", -1), ("0", 0), ("4711", 4711)])
def test_a_last_event_id_is_a_number_or_ignored(header, seen):
    assert parse_last_event_id(header) == seen
