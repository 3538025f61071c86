"""Headers of every request and of every answer."""

from flask import Response, request

from api.problems import Problem


def refuse_body() -> None:
    """Raise Problem 413 if the request has a body. None needs one, and a thread would have to wait for it."""
    if request.content_length or "Transfer-Encoding" in request.headers:
        raise Problem(413, "No request of this API has a body. Send it without one.")


def protect(response: Response) -> Response:
    """Keep caches from storing an answer, and browsers from running or framing it."""
    # A GET that sends messages must reach the server every time.
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    return response
