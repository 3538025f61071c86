"""The routes, a blueprint per concern. They only translate between HTTP and the rest of the API."""
