"""Errors as application/problem+json (RFC 9457), each with a sentence that says what to do."""

from uuid import UUID

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from api.links import described_by, run_path
from api.params import BadParameter

RETRY_SECONDS = 5

DETAILS = {
    404: "There is nothing here. Send messages with /ping/<num_messages>/<size> or /pong/<num_messages>/<size>,"
    " for example /ping/1000/100.",
    405: "This path does not have this method. The header Allow lists the methods of this path.",
    500: "This is a bug in the API; its log has the traceback.",
}


class Problem(Exception):
    """An error response. Its JSON has the members of RFC 9457, and `members`."""

    def __init__(self, status: int, detail: str, about: UUID | None = None, **members: object):
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members
        self.about = about
        """The run that `instance` (RFC 9457) names, if `run` is not set."""
        self.run: UUID | None = None
        """The run that the client asked for, if it may have begun or is on record.

        Then `instance` names the run, and the header `Link` leads to the run.
        """


def no_kafka(why: str) -> Problem:
    return Problem(503, f"Kafka does not answer: {why}. Start it with `docker-compose up broker`, or `make run`.")


def register_problems(app: Flask) -> None:
    """Make `app` answer every error with problem+json."""
    app.register_error_handler(Problem, _answer_problem)
    app.register_error_handler(BadParameter, _answer_bad_parameter)
    app.register_error_handler(HTTPException, _answer_http_exception)


def _answer_problem(problem: Problem) -> Response:
    about = problem.run or problem.about
    members = {"instance": run_path(about)} if about else {}
    response = _response(problem.status, problem.detail, **members, **problem.members)
    if problem.run:
        response.headers["Link"] = described_by(problem.run)
    return response


def _answer_bad_parameter(error: BadParameter) -> Response:
    return _response(400, str(error))


def _answer_http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    response = _response(status, DETAILS.get(status) or error.description or error.name)
    response.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
    return response


def _response(status: int, detail: str, **members: object) -> Response:
    title = HTTP_STATUS_CODES.get(status, "Error")
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
    response = Response(json.dumps(body, sort_keys=False) + "\n", status, mimetype="application/problem+json")
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response
