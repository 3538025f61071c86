"""Compares the API's responses with its description, api/openapi.yaml."""

import re
from urllib.parse import urlsplit

import requests
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from api.description import load_description, look_up

DESCRIPTION = load_description()
REFUSALS = {403: "ForeignSite", 413: "ContentTooLarge", 421: "MisdirectedRequest"}
"""Statuses that any request may get, with their names in the description."""


def check(answer: requests.Response) -> requests.Response:
    """Return the response. Raises AssertionError unless its status, content type and JSON are described.

    It must also have the required headers. Does not read the events of a stream.
    """
    method, path = answer.request.method, urlsplit(answer.url).path
    where = f"{method} {path} answered {answer.status_code}"
    response = expected(method, path, answer.status_code)
    assert response, f"{where}, which is not described: {answer.text[:500]}"
    for name, reference in response.get("headers", {}).items():
        header = look_up(DESCRIPTION, reference)
        value = answer.headers.get(name)
        assert value or not header.get("required"), f"{where} without {name}"
        if value:
            validate(int(value) if value.isdigit() else value, header["schema"], f"{where} with {name}")
    if "content" not in response or method == "HEAD":
        assert not answer.content, f"{where} with a body"
        return answer
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in response["content"], f"{where} with {media}, not {[*response['content']]}"
    if media.endswith("json"):
        body = answer.json()
        validate(body, response["content"][media]["schema"], where)
    if media == "application/problem+json":
        check_problem(answer, body, where)
    return answer


def check_problem(answer: requests.Response, problem: dict, where: str) -> None:
    """Raise AssertionError unless a problem and the headers of its response agree."""
    assert problem["status"] == answer.status_code, f"{where}, but its body has another status"
    if "Link" in answer.headers:
        link = f'<{problem.get("instance")}>; rel="describedby"'
        assert answer.headers["Link"] == link, f"{where} and its Link is not the `instance` in its body"


def expected(method: str, path: str, status: int) -> dict | None:
    """Return the description of a response with this status. None if it is not described."""
    responses = DESCRIPTION["components"]["responses"]
    operations = next((item for template, item in DESCRIPTION["paths"].items() if matches(template, path)), None)
    if status in REFUSALS:
        return responses[REFUSALS[status]]
    if operations is None:
        return {404: responses["NotFound"]}.get(status)
    if method == "OPTIONS":
        return {200: responses["Options"]}.get(status)
    sends = "post" in operations
    operation = operations.get("get" if method == "HEAD" and not sends else method.lower())
    if operation is None:
        return {405: responses["MethodNotAllowed"]}.get(status)
    response = operation["responses"].get(str(status))
    return response and look_up(DESCRIPTION, response)


def matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) is not None


def validate(value: object, schema: dict, where: str) -> None:
    """Raise AssertionError unless the value matches the schema of the description."""
    # References in the schema start at the root of the description.
    schema = schema | {"components": DESCRIPTION["components"]}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    error = best_match(validator.iter_errors(value))
    assert error is None, f"{where}: {error.json_path}: {error.message}"
