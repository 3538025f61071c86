"""Errors as application/problem+json (RFC 9457), each with a sentence that says what to do."""

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

RETRY_SECONDS = 5


class Problem(Exception):
    """An answer other than the one asked for. `members` go into the JSON beside the usual ones."""

    def __init__(self, status: int, detail: str, **members):
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members
        self.headers: dict[str, str] = {}


def register_problems(app: Flask) -> None:
    """Answer with problem+json whatever goes wrong in `app`."""

    @app.errorhandler(Problem)
    def problem(error: Problem) -> Response:
        response = _response(error.status, error.detail, **error.members)
        response.headers.extend(error.headers)
        return response

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        detail = {
            404: "There is nothing here. Send messages with /ping/<num_messages>/<size> or /pong/<num_messages>/<size>,"
            " for example /ping/1000/100.",
            405: "This method is not for this path; Allow says which ones are.",
            500: "This is a bug in the API; its log has the traceback.",
        }.get(error.code, error.description)
        response = _response(error.code, detail)
        response.headers.extend((k, v) for k, v in error.get_headers() if k == "Allow")
        return response


def _response(status: int, detail: str, **members) -> Response:
    title = HTTP_STATUS_CODES.get(status, "Error")
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **members}
    response = Response(json.dumps(body, sort_keys=False) + "\n", status, mimetype="application/problem+json")
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response
