"""The HTTP side: the application, and a client for the terminal, which starts without what the application needs."""


def create_app():
    """The WSGI application, for gunicorn: "api:create_app()"."""
    from api.app import create_app

    return create_app()
