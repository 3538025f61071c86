"""Refuses requests that have a body or a foreign Host. Also refuses another site's requests to send or stop a run."""

import re

from flask import request

from api.problems import Problem
from api.resources import resources

HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "api"})
"""The API always accepts these names. `api` is the service's name in docker-compose.yml. API_HOSTS adds more."""

READING = "GET", "HEAD", "OPTIONS"


def refuse_body() -> None:
    """Raise Problem 413 if the request has a body. No route needs a body, and a thread would wait for it."""
    if request.content_length or "Transfer-Encoding" in request.headers:
        raise Problem(413, "This API accepts no request with a body. Send the request without a body.")


def refuse_foreign_host() -> None:
    """Raise Problem 421 if the Host of the request is not a name of this API.

    A site can make its own name point to 127.0.0.1. Then its page would have the same origin as the API.
    """
    host = request.headers.get("Host")
    if host is None:
        return  # every browser sends Host
    name = re.sub(r":[0-9]*$", "", host.lower())
    if name not in HOSTS | resources().settings.api_hosts:
        raise Problem(
            421, f"The Host {host[:50]!r} is not a name of this API. Use localhost, or add this name to API_HOSTS."
        )


def refuse_foreign_site() -> None:
    """Raise Problem 403 if a request from the page of another site could send messages or stop a run."""
    acts = request.method not in READING or request.blueprint == "sending"  # there, GET sends messages too
    if acts and _is_from_another_site():
        raise Problem(403, "A page of another site may not send messages or stop runs. Open this API's own page, at /.")


def _is_from_another_site() -> bool:
    """Return True if Sec-Fetch-Site or Origin names another origin. Only browsers send these headers."""
    site = request.headers.get("Sec-Fetch-Site")
    if site:
        return site not in ("same-origin", "none")  # "none" means that the user typed the address
    # Without Sec-Fetch-Site, the header Origin decides.
    # Browsers send Sec-Fetch-Site only to https and to this machine. They send Origin with every POST and DELETE.
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("Host")
