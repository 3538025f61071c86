"""`python -m client verify`: what it waits for, what it prints, and its exit codes."""

import itertools
import json
import uuid
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from client.__main__ import main, parse
from client.http import ApiError, Refused
from client.runs import Run
from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Partition
from messaging.runs.payload import payloads
from messaging.runs.stamp import stamps
from tests.unit.topics import Message, Reader, Topics

RUN = uuid.UUID("3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11")
COUNT, SIZE = 4, 8
CREATED = 1_763_886_709_910
PING = Partition("ping", 0)


def run(state="done", stalled=None, distinct=COUNT, behind=0) -> Run:
    """Return a run of pong. `distinct` is the number of messages on record, both as sent and as received."""
    stage = {
        "messages": distinct, "distinct": distinct, "duplicates": 0, "missing": 0, "failed": 0, "byte_rate": None,
        "message_rate": None, "latency_ms": None, "behind_seconds": behind,
    }  # fmt: skip
    return Run.from_json(
        {
            "id": str(RUN), "service": "pong", "state": state, "reason": None, "stalled": stalled, "size": SIZE,
            "rate": None, "num_messages": COUNT, "created": "2025-11-23T08:31:49.910Z", "finished": None,
            "delivery": "at-least-once", "stages": {"sent": stage, "ping_received": stage},
        }
    )  # fmt: skip


def messages(*numbers: int) -> list[Message]:
    keys, values = stamps(RUN.bytes, numbers), payloads(RUN.bytes, numbers, SIZE)
    return [Message(key, value, CREATED) for key, value in zip(keys, values, strict=True)]


class Stack:
    """The API and Kafka. Kafka has all messages.

    The API returns the `runs` in turn. When only the last one is left, every request gets this run.
    """

    def __init__(self):
        self.runs: list[Run | Exception] = [run()]
        self.topics = Topics(PING)
        self.topics.add("ping", 0, *messages(*range(COUNT)))
        self.kafka_error: BaseException | None = None
        self.asked: list[str] = []
        self.reader = Reader(self.topics)
        self.meanwhile: Callable[[], object] = lambda: None
        """Called each time the command sleeps. Sleeping takes no time."""

    def get(self, url: str) -> Run:
        self.asked.append(url)
        told = self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]
        if isinstance(told, Exception):
            raise told
        return told

    def make_reader(self) -> Reader:
        if self.kafka_error:
            raise self.kafka_error
        return self.reader


@pytest.fixture
def stack(monkeypatch):
    stack = Stack()
    clock = itertools.count()
    monkeypatch.setattr("client.http.Api.get", lambda api, url: stack.get(url))
    monkeypatch.setattr("client.verify.command.connect", lambda settings: SimpleNamespace(reader=stack.make_reader))
    time = SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda seconds: stack.meanwhile())
    monkeypatch.setattr("client.verify.command.time", time)
    return stack


def verify(*options: str) -> int:
    return main(["verify", str(RUN), *options])


class TestArguments:
    def test_a_run_is_named_by_its_id_or_its_link(self):
        for name in str(RUN), f"/runs/{RUN}", f"http://localhost:8000/runs/{RUN}", f"http://localhost:8000/runs/{RUN}/":
            assert parse(["verify", name]).run == RUN

    def test_the_address_of_kafka_is_from_the_environment_or_an_option(self, monkeypatch):
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "")
        assert parse(["verify", str(RUN)]).kafka == "localhost:9092"

        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:29092")
        assert parse(["verify", str(RUN)]).kafka == "broker:29092"
        assert parse(["verify", str(RUN), "--kafka", "here:1"]).kafka == "here:1"

    @pytest.mark.parametrize("arguments", ["", "1", f"{RUN} {RUN}", f"{RUN} --kafka here", f"{RUN} --kafka here:0"])
    def test_wrong_usage_is_exit_code_2(self, arguments, capsys):
        with pytest.raises(SystemExit) as raised:
            main(["verify", *arguments.split()])

        assert raised.value.code == 2
        assert "usage: python -m client" in capsys.readouterr().err


class TestAgrees:
    def test_exit_code_is_0_and_a_table_is_printed(self, stack, capsys):
        assert verify("--api", "http://api") == 0

        printed = capsys.readouterr()
        rows = {line.rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in printed.out.splitlines()[4:10]}
        assert rows == {
            "messages": "4", "distinct": "4", "twice": "0", "missing": "0", "out of order": "0", "payload changed": "0",
        }  # fmt: skip
        assert printed.out.startswith(f"Run {RUN}, done\n")
        assert printed.out.endswith("\nThe topics hold what the API says.\n")
        assert printed.err == ""
        assert set(stack.asked) == {f"http://api/runs/{RUN}"}
        assert stack.reader.closed

    def test_exit_code_is_0_and_one_json_object_is_printed(self, stack, capsys):
        assert verify("--json") == 0

        printed = capsys.readouterr()
        assert json.loads(printed.out) == {
            "run": str(RUN), "state": "done", "agrees": True, "differences": [], "notes": [],
            "topics": {
                "ping": {"messages": 4, "distinct": 4, "twice": 0, "missing": 0, "out_of_order": 0, "changed": 0}
            },
        }  # fmt: skip
        assert printed.err == ""

    def test_exit_code_is_0_if_the_last_counts_reach_the_api_while_verify_waits(self, stack):
        stack.runs = [run(), run(distinct=0), *[run(distinct=2)] * 3, run()]
        assert verify() == 0

    def test_exit_code_is_0_if_the_last_message_reaches_kafka_while_verify_waits(self, stack):
        missing = [stack.topics.messages[PING].pop()]
        stack.meanwhile = lambda: missing and stack.topics.add("ping", 0, missing.pop())

        assert verify() == 0


class TestDiffers:
    def test_exit_code_is_1_and_each_difference_has_a_sentence(self, stack, capsys):
        stack.topics.messages[PING] = messages(1, 0, 2, 2)

        assert verify() == 1
        printed = capsys.readouterr()
        _, sentences = printed.out.split("\nTopics and API differ:\n")
        assert "- Messages that Kafka has acknowledged: 4. Topic ping holds 3." in sentences
        assert "- Messages of topic ping that are out of order in their partition: 1." in sentences

    def test_exit_code_is_1_and_one_json_object_is_printed(self, stack, capsys):
        stack.topics.messages[PING] = messages(0)

        assert verify("--json") == 1
        told = json.loads(capsys.readouterr().out)
        assert told["agrees"] is False
        assert len(told["differences"]) == 2

    def test_exit_code_is_1_if_a_stalled_run_has_lost_messages(self, stack):
        stack.runs = [run("bouncing", stalled="ping_received")]
        stack.topics.messages[PING] = messages(0)

        assert verify() == 1

    def test_exit_code_is_1_if_there_is_a_difference_and_only_the_delay_of_a_paced_run_grows(self, stack):
        stack.runs = [run("sending", "sent", 2, late) for late in range(1000)]
        assert (verify(), len(stack.runs) > 900) == (1, True)


class TestCannotTell:
    def told(self, capsys) -> str:
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err

    @pytest.mark.parametrize("state", ["accepted", "sending", "bouncing"])
    def test_exit_code_is_2_while_the_run_goes_on(self, stack, capsys, state):
        stack.runs = [run(state)]

        assert verify() == 2
        assert self.told(capsys) == f"Run {RUN} is {state}. Verify it when it is over.\n"

    def test_exit_code_is_2_if_the_run_is_stalled_and_nothing_is_wrong_so_far(self, stack, capsys):
        stack.runs = [run("sending", stalled="sent")]

        assert verify("--json") == 2
        assert "waits at stage sent. So far the topics hold what the API says." in self.told(capsys)

    def test_exit_code_is_2_if_the_run_was_stalled_and_goes_on(self, stack, capsys):
        stack.runs = [run("sending", stalled="sent"), run("sending")]

        assert verify() == 2
        assert "is sending. So far the topics hold what the API says." in self.told(capsys)

    @pytest.mark.parametrize(
        ("error", "words"),
        [(Refused("There is no such run."), "There is no such run."), (ApiError("x"), "does not answer (x).")],
    )
    def test_exit_code_is_2_if_the_api_does_not_know_the_run_or_does_not_answer(self, stack, capsys, error, words):
        stack.runs = [error]

        assert verify() == 2
        assert words in self.told(capsys)

    def test_exit_code_is_2_if_kafka_does_not_answer(self, stack, capsys):
        stack.kafka_error = Unavailable("NoBrokersAvailable()")

        assert verify("--kafka", "there:9092") == 2
        assert self.told(capsys).startswith("Kafka at there:9092 does not answer (NoBrokersAvailable()).")

    def test_exit_code_is_2_if_kafka_has_no_such_topic(self, stack, capsys):
        del stack.topics.messages[PING]

        assert verify() == 2
        assert "has no topic ping" in self.told(capsys)

    def test_exit_code_is_2_if_kafka_has_deleted_messages(self, stack, capsys):
        stack.topics.deleted[PING] = 1

        assert verify() == 2
        assert self.told(capsys) == f"Kafka has deleted messages that may belong to run {RUN}, in ping/0.\n"

    def test_exit_code_is_2_if_kafka_deletes_messages_meanwhile(self, stack, capsys):
        stack.topics.messages[PING].pop()
        stack.meanwhile = lambda: stack.topics.deleted.update({PING: 1})

        assert verify() == 2
        assert "Kafka has deleted messages" in self.told(capsys)

    def test_exit_code_is_2_if_a_setting_is_wrong(self, stack, capsys, monkeypatch):
        monkeypatch.setenv("MAX_SIZE", "many")

        assert verify() == 2
        assert self.told(capsys).startswith("MAX_SIZE must be a whole number")


def test_exit_code_is_130_when_the_user_presses_ctrl_c(stack, capsys):
    stack.kafka_error = KeyboardInterrupt()

    assert verify() == 130
    assert capsys.readouterr() == ("", "")
