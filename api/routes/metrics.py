"""GET /metrics for Prometheus, and GET /metrics.json for the page.

Both return the newest key metrics. Neither request waits for a broker.
"""

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from api.headers import compress
from api.metrics.formats import as_json, as_text
from api.resources import resources

blueprint = Blueprint("metrics", __name__)
blueprint.after_request(compress)


@blueprint.get("/metrics")
def metrics() -> Response:
    return Response(as_text(resources().recorder.newest()), content_type=CONTENT_TYPE_PLAIN_0_0_4)


@blueprint.get("/metrics.json")
def metrics_as_json() -> Response:
    recorder = resources().recorder
    return jsonify(as_json(recorder.newest(), recorder.history()))
