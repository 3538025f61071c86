"""What the API takes and answers: GET /openapi.json for programs, GET /docs for people."""

import re
import secrets
from functools import partial, reduce
from operator import getitem
from pathlib import Path

import yaml
from flask import Flask, Response, jsonify, make_response, render_template
from markupsafe import Markup, escape

PATH = Path(__file__).parent / "openapi.yaml"
POLICY = "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def load_description() -> dict:
    """The API's OpenAPI description."""
    return yaml.safe_load(PATH.read_text())


def look_up(description: dict, node: dict) -> dict:
    """What a node of the description stands for: if it is a reference, what that refers to."""
    if "$ref" not in node:
        return node
    return reduce(getitem, node["$ref"].removeprefix("#/").split("/"), description)


def register_docs(app: Flask) -> None:
    """Serve the description from `app`, as JSON and as a page that needs nothing from elsewhere."""
    description = load_description()

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(description)

    @app.get("/docs")
    def docs() -> Response:
        nonce = secrets.token_urlsafe(16)
        page = render_template(
            "docs.html", api=description, look_up=partial(look_up, description), prose=_prose, nonce=nonce
        )
        response = make_response(page)
        response.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
        return response


def _prose(text: str) -> Markup:
    """A text of the description as HTML: what stands in backticks is code, each line a paragraph."""
    html = re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text)))
    return Markup("".join(f"<p>{line}</p>" for line in html.splitlines()))
