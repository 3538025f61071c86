"""Headers of every answer."""

from flask import Response


def protect(response: Response) -> Response:
    """Keep caches from storing an answer, and browsers from running it, framing it, or telling others its address."""
    # A GET that sends messages must reach the server every time.
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    return response
