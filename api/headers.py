"""The headers of every response, and the compression of the page's files and of /metrics.json."""

import gzip

from flask import Response, request

COMPRESSED = "text/html", "text/css", "text/javascript", "application/javascript", "application/json"
LEAST_BYTES = 1024


def protect(response: Response) -> Response:
    """Add the headers that restrict what caches and browsers do with the response.

    Caches must not store it. Browsers must not guess its type, show it in a frame, or tell other sites its
    address. Scripts are forbidden too, unless the route has set its own Content-Security-Policy.
    """
    # Some GET requests send messages. Each of these requests must reach the server, and not a cache.
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    return response


def compress(response: Response) -> Response:
    """Compress a large text if the client accepts gzip. Only the blueprints `page` and `metrics` use this."""
    if response.mimetype not in COMPRESSED or (response.is_streamed and not response.direct_passthrough):
        return response
    response.vary.add("Accept-Encoding")
    if response.status_code != 200 or request.accept_encodings["gzip"] <= 0:
        return response
    response.direct_passthrough = False  # otherwise get_data could not read a file
    if len(response.get_data()) >= LEAST_BYTES:
        response.set_data(gzip.compress(response.get_data(), 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.headers.pop("ETag", None)  # it belongs to the uncompressed text
    return response
