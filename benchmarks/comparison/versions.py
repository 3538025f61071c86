"""The versions of the project that are compared: this checkout, and a commit in a temporary git worktree."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import BenchmarkError
from local import ROOT


@dataclass(frozen=True)
class Version:
    """A version of the project, in its folder."""

    name: str
    commit: str
    folder: Path


def this_checkout() -> Version:
    """Return the version in this folder, with its uncommitted changes."""
    changes = " and changes" if git("status", "--porcelain") else ""
    return Version("this checkout", git("rev-parse", "--short", "HEAD") + changes, ROOT)


@contextmanager
def checked_out(revision: str) -> Iterator[Version]:
    """Check out a revision into a temporary worktree, which is removed at the end. Raises BenchmarkError."""
    try:
        commit = git("rev-parse", "--verify", "--quiet", "--short", "--end-of-options", f"{revision}^{{commit}}")
    except BenchmarkError:
        raise BenchmarkError(f"{revision} is not a commit of this repository. `git log` shows the commits.") from None
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        folder = Path(directory) / "worktree"
        git("worktree", "add", "--detach", "--quiet", str(folder), commit)
        try:
            yield Version(revision, commit, folder)
        finally:
            git("worktree", "remove", "--force", str(folder))


def git(*arguments: str) -> str:
    """Return what a git command prints. Raises BenchmarkError if it fails."""
    try:
        process = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BenchmarkError(f"git cannot be run: {error.strerror}.") from None
    if process.returncode:
        raise BenchmarkError(f"`git {' '.join(arguments)}` failed: {process.stderr.strip()}")
    return process.stdout.strip()
