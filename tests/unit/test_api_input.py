"""How the API responds to bad input. These tests need no broker."""

import pytest

from api import create_app

RUN = "3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11"


@pytest.fixture(scope="module")
def client():
    return create_app().test_client()


BAD = [
    "/ping/abc/100", "/ping/-1/100", "/ping/+1/100", "/ping/1.5/100", "/ping/1e3/100", "/ping/%201/100",
    "/ping/1_0/100", "/ping/%EF%BC%91/100", "/ping/%D9%A3/100", "/ping/0x10/1", "/ping/0/100", "/ping/1000001/100",
    "/ping/100/abc", "/ping/100/-1", "/ping/100/1000001", "/ping/100/%00", "/pong/0/1", f"/ping/{'9' * 5000}/1",
]  # fmt: skip


@pytest.mark.parametrize("path", BAD, ids=lambda path: path[:30])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_value_that_is_not_a_whole_number_or_is_out_of_range_is_400(client, path, method):
    response = client.open(path, method=method)

    assert response.status_code == 400
    assert response.content_type == "application/problem+json"
    assert response.json["status"] == 400
    assert "must be a whole number" in response.json["detail"]


@pytest.mark.parametrize("path", ["/ping/1000000/1001", "/pong/1001/1000000"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_too_many_bytes_in_all_are_400(client, path, method):
    response = client.open(path, method=method)

    assert (response.status_code, response.content_type) == (400, "application/problem+json")
    assert "num_messages times size must be at most 1000000000 (bytes), not 1001000000." in response.json["detail"]


@pytest.mark.parametrize(
    "path", ["/index.html", "/ping", "/ping/1", "/ping/1/1/1", "/ping//1", "/ping/1//1", "/peng/1/1", "/ping/1/1/"]
)
def test_other_paths_are_404_and_the_response_names_a_valid_path(client, path):
    response = client.get(path)

    assert (response.status_code, response.content_type) == (404, "application/problem+json")
    assert "/ping/1000/100" in response.json["detail"]


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_405_and_the_response_names_the_allowed_ones(client, method):
    response = client.open("/ping/1/1", method=method)

    assert (response.status_code, response.content_type) == (405, "application/problem+json")
    assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize("service", ["ping", "pong"])
def test_a_head_request_to_a_path_that_starts_a_run_is_405_and_head_is_no_allowed_method(client, service):
    head, options = (client.open(f"/{service}/1/1", method=method) for method in ("HEAD", "OPTIONS"))

    assert (head.status_code, head.data) == (405, b"")
    for response in head, options:
        assert set(response.headers["Allow"].split(", ")) == {"GET", "POST", "OPTIONS"}


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json", "/docs"])
def test_a_head_request_to_other_paths_has_the_content_length_of_get_and_no_body(client, path):
    head, get = client.head(path), client.get(path)

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("path", ["/ping/1/1", "/runs", "/healthz", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "body", [{"data": b"{}"}, {"headers": {"Transfer-Encoding": "chunked"}}], ids=["long", "chunked"]
)
def test_a_request_with_a_body_is_413(client, method, path, body):
    response = client.open(path, method=method, **body)

    assert (response.status_code, response.content_type) == (413, "application/problem+json")
    assert "Send the request without a body." in response.json["detail"]


def test_healthz_is_alive_without_brokers(client):
    response = client.get("/healthz")

    assert (response.status_code, response.json) == (200, {"status": "alive"})
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json", "/docs", "/static/x", "/ping/0/1", "/nothing"])
@pytest.mark.parametrize("method", ["get", "options", "put"])
def test_every_response_tells_browsers_not_to_store_it_and_restricts_what_they_do_with_it(client, path, method):
    headers = client.open(path, method=method).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": "42"},
        {"Idempotency-Key": "x" * 36},
        {"Idempotency-Key": "1_000000-0000-0000-0000-000000000000"},
    ],
    ids=str,
)
def test_a_key_that_is_not_a_uuid_is_400(client, headers):
    response = client.post("/ping/1/1", headers=headers)

    assert (response.status_code, response.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize("path", ["/runs/42", "/runs/42/events", "/runs?limit=0", "/runs?limit=1000", "/runs?before=x"])
def test_wrong_ids_and_wrong_pages_of_runs_are_400(client, path):
    assert client.get(path).status_code == 400


@pytest.mark.parametrize(
    "path", ["/runs?before=", "/runs?limit=", "/runs?limit", "/runs?limit=1&limit=1", "/runs?page=2", "/runs?limit=1&x"]
)
def test_a_query_that_is_empty_or_repeated_or_unknown_is_400(client, path):
    response = client.get(path)

    assert (response.status_code, response.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_query_of_a_path_that_starts_a_run_is_400(client, method):
    assert client.open("/ping/1/1?num_messages=2", method=method).status_code == 400


@pytest.mark.parametrize("query", ["rate", "rate=", "rate=0", "rate=1.5", "rate=-1", "rate=1000001", "rate=1&rate=1"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_invalid_rate_is_400(client, method, query):
    response = client.open(f"/ping/1/1?{query}", method=method)

    assert (response.status_code, response.content_type) == (400, "application/problem+json")
    assert "rate" in response.json["detail"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_run_of_more_than_25_minutes_is_400(client, method):
    response = client.open("/ping/15001/1?rate=10", method=method)

    assert response.status_code == 400
    assert "take 1500.1 s, and a run may take at most 1500 s" in response.json["detail"]


def test_a_get_of_a_run_that_would_take_too_long_is_400_and_the_response_says_to_send_a_post(client):
    response = client.get("/pong/6000/1?rate=100")

    assert response.status_code == 400
    assert "Use POST, which does not wait." in response.json["detail"]


@pytest.mark.parametrize("path", [f"/runs/{RUN}", f"/runs/{RUN}/events"])
def test_an_unknown_query_of_a_run_is_400(client, path):
    assert client.get(f"{path}?x=1").status_code == 400


def test_a_probe_may_have_any_query(client):
    assert client.get("/healthz?at=1&at=2").status_code == 200
