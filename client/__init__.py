"""A client for the terminal: `python -m client ping 100000 100`. It uses the API only over HTTP."""
