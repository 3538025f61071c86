"""Large texts are compressed if the client asks for it."""

import gzip

import pytest
from flask import Flask, Response

from api.headers import LEAST_BYTES, compress

LARGE, SMALL = "x" * LEAST_BYTES, "x" * (LEAST_BYTES - 1)


@pytest.fixture
def client():
    app = Flask(__name__)
    app.after_request(compress)
    app.add_url_rule("/large", "/large", lambda: Response(LARGE, mimetype="application/json"))
    app.add_url_rule("/small", "/small", lambda: Response(SMALL, mimetype="application/json"))
    app.add_url_rule("/picture", "/picture", lambda: Response(LARGE, mimetype="image/png"))
    app.add_url_rule("/events", "/events", lambda: Response(iter([LARGE]), mimetype="text/event-stream"))
    app.add_url_rule("/wrong", "/wrong", lambda: Response(LARGE, 400, mimetype="application/json"))
    return app.test_client()


def test_a_large_text_is_compressed_on_request(client):
    response = client.get("/large", headers={"Accept-Encoding": "gzip, br"})

    assert gzip.decompress(response.data).decode() == LARGE
    assert (response.headers["Content-Encoding"], response.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert int(response.headers["Content-Length"]) == len(response.data) < LEAST_BYTES


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0"])
def test_a_client_that_does_not_accept_gzip_gets_the_plain_text(client, accepted):
    response = client.get("/large", headers={"Accept-Encoding": accepted})

    assert response.text == LARGE
    assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/small", "/picture", "/events", "/wrong"])
def test_responses_that_need_no_compression_are_not_compressed(client, path):
    response = client.get(path, headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in response.headers
    assert response.data in (LARGE.encode(), SMALL.encode())
