"""Runs everything on this machine without Docker: `python3 -m local`. Needs nothing but Python's standard library."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class LocalError(Exception):
    """Something cannot be installed or started. The text is for the user: it says why and what to do."""
