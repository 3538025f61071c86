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
    answer = client.get("/large", headers={"Accept-Encoding": "gzip, br"})

    assert gzip.decompress(answer.data).decode() == LARGE
    assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert int(answer.headers["Content-Length"]) == len(answer.data) < LEAST_BYTES


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0"])
def test_nobody_gets_what_they_did_not_ask_for(client, accepted):
    answer = client.get("/large", headers={"Accept-Encoding": accepted})

    assert answer.text == LARGE
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/small", "/picture", "/events", "/wrong"])
def test_other_answers_stay_as_they_are(client, path):
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers
    assert answer.data in (LARGE.encode(), SMALL.encode())
