"""Paths and links of runs."""

from uuid import UUID


def run_path(run_id: UUID) -> str:
    return f"/runs/{run_id}"


def events_path(run_id: UUID) -> str:
    return f"{run_path(run_id)}/events"


def described_by(run_id: UUID) -> str:
    """Return the value of the header `Link`, with a link to the run."""
    return f'<{run_path(run_id)}>; rel="describedby"'
