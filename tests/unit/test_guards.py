"""Requests that the API refuses before a route sees them: to unknown host names, and from other sites."""

import pytest
from werkzeug.test import Client

from api import create_app

RUN = "/runs/3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11"
ACTS = [("POST", "/ping/0/1"), ("GET", "/pong/0/1"), ("DELETE", "/runs/42")]
"""Requests to paths that send or stop a run. Their numbers or ids are wrong, so they are 400 and need no broker."""


@pytest.fixture(scope="module")
def client():
    return create_app().test_client()


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1:1", "[::1]", "[::1]:8000", "api:8000", "localhost:"]
)
def test_our_own_host_names_are_served_with_any_port(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["rebound.example", "localhost.example", "localhost.", "127.0.0.1.example", "::1", "", "localhost:80:80",
     "localhost, rebound.example", "user@localhost", "127.1", "ü"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/healthz", "/ping/1/1", RUN, "/static/page.css", "/nothing"])
def test_other_host_names_are_421(client, host, path):
    response = client.get(path, headers={"Host": host})

    assert (response.status_code, response.content_type) == (421, "application/problem+json")
    assert "API_HOSTS" in response.json["detail"]
    assert response.headers["Cache-Control"] == "no-store"


def test_a_request_without_host_is_served(client):
    def without_host(environ, start):
        del environ["HTTP_HOST"]
        return client.application.wsgi_app(environ, start)

    assert Client(without_host).get("/healthz").status_code == 200


def test_the_host_names_in_the_setting_are_served_too(monkeypatch):
    monkeypatch.setenv("API_HOSTS", "pingpong.example, 10.0.0.1")
    client = create_app().test_client()
    hosts = ["pingpong.example", "PingPong.example:80", "10.0.0.1:8000", "localhost", "rebound.example"]

    statuses = [client.get("/healthz", headers={"Host": host}).status_code for host in hosts]
    assert statuses == [200, 200, 200, 200, 421]


@pytest.mark.parametrize(("method", "path"), ACTS)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_page_of_another_site_may_not_send_or_stop_a_run(client, method, path, site):
    response = client.open(path, method=method, headers={"Sec-Fetch-Site": site})

    assert (response.status_code, response.content_type) == (403, "application/problem+json")


@pytest.mark.parametrize(("method", "path"), ACTS)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}, {"Sec-Fetch-Site": "none"},
     {"Origin": "http://localhost"}],
    ids=["curl", "our own page behind a proxy", "typed by the user", "our own page in an old browser"],
)  # fmt: skip
def test_requests_that_are_not_from_another_site_reach_the_route(client, method, path, headers):
    assert client.open(path, method=method, headers=headers).status_code == 400


@pytest.mark.parametrize(("method", "path"), ACTS)
@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null", ""])
def test_another_site_in_an_old_browser_is_recognized_by_the_origin(client, method, path, origin):
    assert client.open(path, method=method, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/healthz", "/docs"])
def test_another_site_may_link_to_paths_that_only_read(client, path):
    assert client.get(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_the_page_may_load_and_execute_only_files_of_this_api(client):
    policy = client.get("/").headers["Content-Security-Policy"].split("; ")

    assert "default-src 'none'" in policy
    assert {part.partition(" ")[2] for part in policy} <= {"'none'", "'self'", "'script'"}
    assert "frame-ancestors 'none'" in policy
