"""A run in the terminal: `python -m client ping 100000 100`. It knows the API only over HTTP."""
