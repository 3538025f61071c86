"""Runs everything on this machine without Docker: `python3 -m local`. Needs nothing but Python's standard library."""
