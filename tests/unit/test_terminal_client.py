"""The terminal client: its arguments, what it prints, and how it follows a run."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from client.__main__ import main, parse
from client.http import Api, Refused
from client.runs import Run
from local import ROOT

STAGE = {
    "messages": 1200, "distinct": 1000, "duplicates": 200, "missing": 0, "failed": 0, "message_rate": 12345.6,
    "byte_rate": 1.234, "latency_ms": {"p50": 1.25, "p90": 2.0, "p99": 3.0, "max": 4.0},
}  # fmt: skip
EMPTY = {
    "messages": 0, "distinct": 0, "duplicates": 0, "missing": 1000, "failed": 0, "message_rate": None,
    "byte_rate": None,
    "latency_ms": None,
}  # fmt: skip
RUN = {
    "id": "3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11", "state": "done", "reason": None, "stalled": None, "service": "ping",
    "num_messages": 1000, "size": 100, "rate": None, "delivery": "at-least-once", "created": "2026-11-23T08:31:49.910Z",
    "finished": "2026-11-23T08:31:52.071Z", "stages": {"sent": STAGE, "ping_received": STAGE},
}  # fmt: skip
LOST = RUN | {"stages": {"sent": STAGE, "ping_received": EMPTY}}


class FakeApi:
    """Each path has a list of responses (status, headers, body).

    They are sent in turn. Every later request gets the last response.
    """

    def __init__(self):
        self.responses: dict[str, list[tuple[int, dict[str, str], str]]] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                fake.requests.append((self.command, self.path, self.headers["Last-Event-ID"]))
                responses = fake.responses[self.path]
                status, headers, body = responses.pop(0) if len(responses) > 1 else responses[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setattr("client.http.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("client.http.LAST_RECORDS_SECONDS", 0.2)
    fake = FakeApi()
    fake.responses["/ping/1000/100"] = [(202, {"Location": "/runs/1"}, "{}")]
    fake.responses["/runs/1"] = [(200, {}, json.dumps(RUN))]
    fake.responses["/runs/1/events"] = [(200, {}, stream(event(7), "event: end\ndata: {}"))]
    yield fake
    fake.close()


def event(number: int, run=RUN) -> str:
    return f"id: {number}\nevent: run\ndata: {json.dumps(run)}"


def stream(*events: str) -> str:
    return "".join(f"{text}\n\n" for text in ("retry: 1000", *events))


class TestArguments:
    def test_the_options_may_come_before_the_command_or_after_it(self):
        ways = ["--api x --json ping 1 2", "ping --api x 1 2 --json", "--json ping 1 --api x 2"]
        parsed = [parse(way.split()) for way in ways]

        assert {(asked.api, asked.json, asked.service, asked.num_messages, asked.size) for asked in parsed} == {
            ("http://x", True, "ping", 1, 2)
        }

    @pytest.mark.parametrize(
        ("address", "url"),
        [("localhost:8001", "http://localhost:8001"), ("https://example.org/api", "https://example.org/api")],
    )
    def test_the_address_of_the_api_needs_no_scheme(self, address, url):
        assert parse(["pong", "1", "2", "--api", address]).api == url

    def test_the_api_is_on_this_machine_by_default(self, monkeypatch):
        monkeypatch.delenv("API_PORT", raising=False)
        assert parse(["pong", "1", "2"]).api == "http://localhost:8000"

        monkeypatch.setenv("API_PORT", "8001")
        assert parse(["pong", "1", "2"]).api == "http://localhost:8001"

    def test_a_run_may_have_a_rate(self):
        assert parse(["ping", "60000", "100", "--rate", "1000"]).rate == 1000
        assert parse(["ping", "60000", "100"]).rate is None

    @pytest.mark.parametrize(
        "arguments",
        ["", "ping", "ping 1", "ping 1 1 --rate", "ping 1 1 --rate fast", "ping many 1", "peng 1 1", "ping 1 1 1"],
    )
    def test_wrong_usage_is_exit_code_2(self, arguments, capsys):
        with pytest.raises(SystemExit) as raised:
            parse(arguments.split())

        assert raised.value.code == 2
        assert "usage: python -m client" in capsys.readouterr().err


class TestExitCode:
    def test_0_when_everything_arrived(self, api, capsys):
        assert main(["ping", "1000", "100", "--api", api.url]) == 0
        printed = capsys.readouterr()
        assert printed.out.startswith(f"Run {api.url}/runs/1\n  ")  # without a terminal, no bars and no empty line
        assert printed.err == ""

    @pytest.mark.parametrize("options", [(), ("--json",)])
    def test_2_when_nobody_reads_stdout(self, api, options):
        command = [sys.executable, "-W", "ignore", "-m", "client", "ping", "1000", "100", "--api", api.url, *options]
        reading, writing = os.pipe()
        os.close(reading)
        try:
            ended = subprocess.run(
                command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=30, check=False
            )
        finally:
            os.close(writing)

        assert (ended.returncode, ended.stderr) == (2, "The output cannot be written: Broken pipe.\n")

    def test_1_when_something_was_lost(self, api, capsys):
        api.responses["/runs/1"] = [(200, {}, json.dumps(LOST))]

        assert main(["ping", "1000", "100", "--api", api.url]) == 1
        assert capsys.readouterr().out.endswith("done after 2.2 s; 1,000 lost.\n")

    def test_1_when_the_run_failed(self, api, capsys):
        api.responses["/runs/1"] = [(200, {}, json.dumps(RUN | {"state": "failed", "reason": "too bad"}))]

        assert main(["ping", "1000", "100", "--api", api.url]) == 1
        assert "failed after 2.2 s: too bad; 0 lost." in capsys.readouterr().out

    def test_2_when_the_api_refuses(self, api, capsys):
        api.responses["/ping/1000/100"] = [(503, {}, json.dumps({"detail": "Not now."}))]

        assert main(["ping", "1000", "100", "--api", api.url]) == 2
        assert capsys.readouterr() == ("", "Not now.\n")

    def test_2_when_the_server_is_not_our_api(self, api, capsys):
        api.responses["/ping/1000/100"] = [(404, {}, "<html>")]

        assert main(["ping", "1000", "100", "--api", api.url]) == 2
        assert "/ping/1000/100 answers 404 Not Found." in capsys.readouterr().err

    def test_130_when_the_user_stops_watching(self, api, capsys, monkeypatch):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr("client.__main__.watch", interrupt)

        assert main(["ping", "1000", "100", "--api", api.url]) == 130
        assert f"The run may go on: {api.url}/runs/1" in capsys.readouterr().err


class TestFollowing:
    def follow(self, api, warnings=None) -> list[Run]:
        with Api(api.url) as client:
            return list(client.follow(f"{api.url}/runs/1", [] if warnings is None else warnings.append))

    def test_a_broken_stream_continues_after_the_last_event_received(self, api):
        end = "event: end\ndata: {}"
        streams = stream(event(7)), stream(event(9), end)
        api.responses["/runs/1/events"] = [(200, {}, streams[0]), (503, {}, "{}"), (200, {}, streams[1])]
        warnings = []

        assert len(self.follow(api, warnings)) == 2
        assert [last_event for _, _, last_event in api.requests] == [None, "7", "7"]
        assert len(warnings) == 1
        assert warnings[0].startswith("The event stream broke (it ended before the run was over).")

    def test_a_broken_stream_is_over_if_the_api_returns_204(self, api):
        api.responses["/runs/1/events"] = [(200, {}, stream(event(7))), (204, {}, "")]

        assert len(self.follow(api, [])) == 1
        assert [last_event for _, _, last_event in api.requests] == [None, "7"]

    def test_a_stream_that_does_not_come_back_is_given_up(self, api, monkeypatch):
        monkeypatch.setattr("client.http.RECONNECT_SECONDS", 0.05)
        api.responses["/runs/1/events"] = [(503, {}, json.dumps({"detail": "Full."}))]

        with pytest.raises(Refused, match=r"did not come back \(Full.\). The run goes on without it: .*/runs/1"):
            self.follow(api, [])

    def test_a_stream_that_sends_only_retry_is_treated_as_broken(self, api, monkeypatch):
        monkeypatch.setattr("client.http.RECONNECT_SECONDS", 0.05)
        api.responses["/runs/1/events"] = [(200, {}, stream())]

        with pytest.raises(Refused, match="did not come back"):
            self.follow(api, [])

    def test_get_last_waits_for_the_last_records(self, api):
        api.responses["/runs/1"] = [(200, {}, json.dumps(LOST)), (200, {}, json.dumps(RUN))]
        with Api(api.url) as client:
            assert client.get_last(f"{api.url}/runs/1").lost == 0


def test_a_paced_run_is_requested_with_its_rate(api, capsys):
    api.responses["/ping/1000/100?rate=500"] = api.responses["/ping/1000/100"]

    assert main(["ping", "1000", "100", "--rate", "500", "--json", "--api", api.url]) == 0
    assert api.requests[0][:2] == ("POST", "/ping/1000/100?rate=500")
