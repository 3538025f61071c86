"""GET /openapi.json for programs, GET /docs for people: the requests and responses of the API."""

import re
import secrets
from functools import partial

from flask import Blueprint, Response, jsonify, make_response, render_template
from markupsafe import Markup, escape

from api.description import look_up
from api.resources import resources

POLICY = "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

blueprint = Blueprint("docs", __name__)


@blueprint.get("/openapi.json")
def openapi() -> Response:
    return jsonify(resources().description)


@blueprint.get("/docs")
def docs() -> Response:
    """Return the page. It loads no other files and runs no scripts."""
    description = resources().description
    nonce = secrets.token_urlsafe(16)
    page = render_template(
        "docs.html", api=description, look_up=partial(look_up, description), prose=_prose, nonce=nonce
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
    return response


def _prose(text: str) -> Markup:
    """Return a text of the description as HTML. Text in backticks becomes code. Each line becomes a paragraph."""
    html = re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text)))
    return Markup("".join(f"<p>{line}</p>" for line in html.splitlines()))
