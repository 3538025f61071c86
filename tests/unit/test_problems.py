"""Problems as a client gets them."""

from uuid import UUID

import pytest
from flask import Flask

from api.problems import Problem, register_problems

RUN = UUID("3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11")
PATH = f"/runs/{RUN}"


def response_to(problem: Problem):
    app = Flask(__name__)
    register_problems(app)

    @app.get("/")
    def fail():
        raise problem

    return app.test_client().get("/")


def test_a_problem_has_the_members_of_rfc_9457_and_those_that_the_api_adds():
    response = response_to(Problem(503, "Not now.", failing=["kafka"]))

    assert (response.status_code, response.content_type) == (503, "application/problem+json")
    assert response.headers["Retry-After"]
    assert response.json == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Not now.",
        "failing": ["kafka"],
    }


@pytest.mark.parametrize("status", [409, 503, 504])
def test_a_problem_of_a_run_that_exists_names_the_run_and_links_to_it(status):
    problem = Problem(status, "It goes on.")
    problem.run = RUN
    response = response_to(problem)

    assert response.json["instance"] == PATH
    assert response.headers["Link"] == f'<{PATH}>; rel="describedby"'


def test_a_problem_about_a_run_that_does_not_exist_names_the_run_without_a_link():
    response = response_to(Problem(404, "There is no such run.", RUN))

    assert response.json["instance"] == PATH
    assert "Link" not in response.headers
