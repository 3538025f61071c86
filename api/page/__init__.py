"""GET / and its files: a page to start runs, watch them live and compare them."""

from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, send_from_directory

from api.headers import compress
from api.resources import resources

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
UPLOT = Path(__file__).resolve().parents[2] / "node_modules/uplot/dist"
"""The charts, installed by npm. Without them the page still works, with a table for each chart."""

blueprint = Blueprint("page", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
blueprint.after_request(compress)


@blueprint.get("/")
def page() -> Response:
    response = make_response(render_template("page.html", settings=resources().settings))
    response.headers["Content-Security-Policy"] = POLICY
    return response


@blueprint.get("/static/vendor/<any('uPlot.iife.min.js', 'uPlot.min.css'):name>")
def vendor(name: str) -> Response:
    return send_from_directory(UPLOT, name)
