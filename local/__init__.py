"""Runs everything on this machine without Docker: `python3 -m local`. Imports only Python's standard library."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class LocalError(Exception):
    """Something cannot be installed or started. The text tells the user why."""
