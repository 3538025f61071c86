"""Routes that list the runs, and that show, follow or stop one run."""

from flask import Blueprint, Response, jsonify, request, url_for

from api.events import MIMETYPE
from api.params import parse_id, parse_last_event_id, parse_page, parse_query
from api.resources import resources
from api.runs.model import Run

blueprint = Blueprint("runs", __name__, url_prefix="/runs")


@blueprint.get("")
def list_runs() -> Response:
    limit, before = parse_page(request.args.items(multi=True))
    found = resources().store.newest(limit + 1, before)
    runs, older = found[:limit], found[limit:]
    following = url_for(".list_runs", limit=limit, before=runs[-1].request.run) if older else None
    return jsonify(runs=[run.as_json() for run in runs], next=following)


@blueprint.get("/<run_id>")
def show_run(run_id: str) -> Response:
    return jsonify(resources().store.view(_find(run_id)).as_json())


@blueprint.delete("/<run_id>")
def stop_run(run_id: str) -> tuple[Response, int]:
    store, run = resources().store, _find(run_id)
    if not store.summary(run).is_over:
        store.stop(run)
    return jsonify(store.view(run).as_json()), 202


@blueprint.get("/<run_id>/events")
def follow_run(run_id: str) -> Response:
    run = _find(run_id)
    streams = resources().streams
    seen = parse_last_event_id(request.headers.get("Last-Event-ID"))
    if streams.is_told(run, seen):
        return Response(status=204)  # this status tells an EventSource not to reconnect
    events = streams.open(run, seen)
    response = Response(events, mimetype=MIMETYPE)
    response.call_on_close(streams.close)
    return response


def _find(run_id: str) -> Run:
    parse_query(request.args.items(multi=True))
    return resources().store.get(parse_id("The run's id", run_id))
