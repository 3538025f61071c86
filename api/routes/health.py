"""GET /healthz: is the API alive? GET /readyz: would a request succeed?"""

from flask import Blueprint, Response, jsonify

from api.problems import Problem
from api.resources import resources

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    return jsonify(status="alive")


@blueprint.get("/readyz")
def readyz() -> Response:
    failing = resources().readiness.failing()
    if failing:
        raise Problem(503, " ".join(failing.values()), failing=sorted(failing))
    return jsonify(status="ready")
