"""Installs what the brokers need: Java and RabbitMQ as system packages, Kafka's jars with Maven."""

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import LocalError
from . import rabbitmq

HERE = Path(__file__).resolve().parent
POM = HERE / "pom.xml"
JARS = HERE / "jars"


def missing() -> list[str]:
    """Return the names of everything that is missing."""
    there = {"java": shutil.which("java"), "rabbitmq-server": has_rabbitmq(), "Kafka's jars": has_jars()}
    return [name for name, found in there.items() if not found]


def check_installed() -> None:
    """Raises LocalError if something is missing."""
    if names := missing():
        raise LocalError(f"Missing: {', '.join(names)}. `python3 -m local install` installs it.")


def install(further_packages: Sequence[str] = ()) -> None:
    """Install what is missing, and further system packages.

    Raises LocalError if that fails, or if it needs root and cannot use sudo.
    """
    packages = list(further_packages)
    if not shutil.which("java"):
        packages.append("default-jre-headless")
    if not has_rabbitmq():
        packages.append("rabbitmq-server")
    if not has_jars() and not shutil.which("mvn"):
        packages.append("maven")
    if packages:
        install_packages(packages)
    if not has_jars():
        fetch_jars()


def install_packages(packages: list[str]) -> None:
    if not shutil.which("apt-get"):
        raise LocalError(f"There is no apt-get here. Please install these yourself: {', '.join(packages)}.")
    command = ["sh", os.path.relpath(HERE / "apt.sh"), *packages]
    if os.geteuid() != 0:
        if not may_sudo():
            raise LocalError(f"Please run `{' '.join(command)}` as root, then start this installation again.")
        command.insert(0, "sudo")
    print(f"Installing {', '.join(packages)} (a minute or two) ...", flush=True)
    if subprocess.run(command, check=False).returncode:
        raise LocalError(f"apt-get could not install {', '.join(packages)}: see above.")


def may_sudo() -> bool:
    """Return True if sudo is installed, and needs no password or can ask for it."""
    if not shutil.which("sudo"):
        return False
    attempt = subprocess.run(["sudo", "-n", "true"], check=False, stderr=subprocess.DEVNULL)
    return attempt.returncode == 0 or sys.stdin.isatty()


def has_rabbitmq() -> bool:
    return shutil.which(rabbitmq.script("rabbitmq-server")) is not None


def has_jars() -> bool:
    """Return True if the jars match pom.xml.

    `fetch_jars` copies pom.xml after all jars. So if the copy exists, all jars exist.
    """
    copy = JARS / POM.name
    return copy.exists() and filecmp.cmp(POM, copy, shallow=False)


def fetch_jars() -> None:
    print("Fetching Kafka and ZooKeeper (48 MB) ...", flush=True)
    shutil.rmtree(JARS, ignore_errors=True)
    maven = ["mvn", "--quiet", "--batch-mode", "--file", str(POM), "dependency:copy-dependencies"]
    maven += ["-DincludeScope=runtime", f"-DoutputDirectory={JARS}"]
    result = subprocess.run(maven, check=False, capture_output=True, text=True)
    if result.returncode:
        raise LocalError(f"Maven could not fetch Kafka's jars:\n{result.stdout}")
    shutil.copy(POM, JARS)
