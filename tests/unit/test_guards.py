"""Requests that the API refuses before a route sees them: for foreign names, and from other sites."""

import pytest
from werkzeug.test import Client

from api import create_app

RUN = "/runs/3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11"
ACTS = [("POST", "/ping/0/1"), ("GET", "/pong/0/1"), ("DELETE", "/runs/42")]
"""Requests that would send or stop. They stop at a 400, so no broker is needed."""


@pytest.fixture(scope="module")
def client():
    return create_app().test_client()


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1:1", "[::1]", "[::1]:8000", "api:8000", "localhost:"]
)
def test_our_own_names_are_served_with_any_port(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["rebound.example", "localhost.example", "localhost.", "127.0.0.1.example", "::1", "", "localhost:80:80",
     "localhost, rebound.example", "user@localhost", "127.1", "ü"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/healthz", "/ping/1/1", RUN, "/static/page.css", "/nothing"])
def test_other_names_are_421(client, host, path):
    answer = client.get(path, headers={"Host": host})

    assert (answer.status_code, answer.content_type) == (421, "application/problem+json")
    assert "API_HOSTS" in answer.json["detail"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_request_without_host_is_served(client):
    def without_host(environ, start):
        del environ["HTTP_HOST"]
        return client.application.wsgi_app(environ, start)

    assert Client(without_host).get("/healthz").status_code == 200


def test_the_names_in_the_setting_are_served_too(monkeypatch):
    monkeypatch.setenv("API_HOSTS", "pingpong.example, 10.0.0.1")
    client = create_app().test_client()
    hosts = ["pingpong.example", "PingPong.example:80", "10.0.0.1:8000", "localhost", "rebound.example"]

    answers = [client.get("/healthz", headers={"Host": host}).status_code for host in hosts]
    assert answers == [200, 200, 200, 200, 421]


@pytest.mark.parametrize(("method", "path"), ACTS)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_page_of_another_site_may_not_send_or_stop(client, method, path, site):
    answer = client.open(path, method=method, headers={"Sec-Fetch-Site": site})

    assert (answer.status_code, answer.content_type) == (403, "application/problem+json")


@pytest.mark.parametrize(("method", "path"), ACTS)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}, {"Sec-Fetch-Site": "none"},
     {"Origin": "http://localhost"}],
    ids=["curl", "our own page behind a proxy", "typed by the user", "our own page in an old browser"],
)  # fmt: skip
def test_everyone_else_is_served(client, method, path, headers):
    assert client.open(path, method=method, headers=headers).status_code == 400


@pytest.mark.parametrize(("method", "path"), ACTS)
@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null", ""])
def test_an_old_browser_tells_the_other_site_by_its_origin(client, method, path, origin):
    assert client.open(path, method=method, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/healthz", "/docs"])
def test_another_site_may_lead_to_a_page_that_only_shows(client, path):
    assert client.get(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_the_page_may_load_and_run_only_what_is_here(client):
    policy = client.get("/").headers["Content-Security-Policy"].split("; ")

    assert "default-src 'none'" in policy
    assert {part.partition(" ")[2] for part in policy} <= {"'none'", "'self'", "'script'"}
    assert "frame-ancestors 'none'" in policy
