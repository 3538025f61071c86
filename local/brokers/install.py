"""Gets what the brokers need: Java and RabbitMQ from the system's packages, Kafka's jars by Maven."""

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import rabbitmq
from .process import BrokerError

HERE = Path(__file__).resolve().parent
POM = HERE / "pom.xml"
JARS = HERE / "jars"


def missing() -> list[str]:
    """What is not there yet, by name."""
    there = {"java": shutil.which("java"), "rabbitmq-server": rabbitmq.server(), "Kafka's jars": has_jars()}
    return [name for name, found in there.items() if not found]


def install(further_packages: Sequence[str] = ()) -> None:
    """Get what is missing, and further system packages. Raises BrokerError if that takes more than this user may do."""
    packages = list(further_packages)
    if not shutil.which("java"):
        packages.append("default-jre-headless")
    if not rabbitmq.server():
        packages.append("rabbitmq-server")
    if not has_jars() and not shutil.which("mvn"):
        packages.append("maven")
    if packages:
        install_packages(packages)
    if not has_jars():
        fetch_jars()


def install_packages(packages: list[str]) -> None:
    if not shutil.which("apt-get"):
        raise BrokerError("There is no apt-get here: please install Java (11 or newer), Maven and RabbitMQ.")
    command = ["sh", os.path.relpath(HERE / "apt.sh"), *packages]
    if os.geteuid() != 0:
        if not may_sudo():
            raise BrokerError(f"Please run as root, then try again: {' '.join(command)}")
        command.insert(0, "sudo")
    print(f"Installing {', '.join(packages)} (a minute or two) ...", flush=True)
    if subprocess.run(command, check=False).returncode:
        raise BrokerError(f"apt-get could not install {', '.join(packages)}: see above.")


def may_sudo() -> bool:
    """Whether sudo is there and needs no password or can ask for it."""
    if not shutil.which("sudo"):
        return False
    attempt = subprocess.run(["sudo", "-n", "true"], check=False, stderr=subprocess.DEVNULL)
    return attempt.returncode == 0 or sys.stdin.isatty()


def has_jars() -> bool:
    """Whether the jars are those of pom.xml. Its copy beside them is written last, when all have arrived."""
    copy = JARS / POM.name
    return copy.exists() and filecmp.cmp(POM, copy, shallow=False)


def fetch_jars() -> None:
    print("Fetching Kafka and ZooKeeper (40 MB) ...", flush=True)
    shutil.rmtree(JARS, ignore_errors=True)
    maven = ["mvn", "--quiet", "--batch-mode", "--file", POM, "dependency:copy-dependencies"]
    maven += ["-DincludeScope=runtime", f"-DoutputDirectory={JARS}"]
    result = subprocess.run(maven, check=False, capture_output=True, text=True)
    if result.returncode:
        raise BrokerError(f"Maven could not fetch Kafka's jars:\n{result.stdout}")
    shutil.copy(POM, JARS)
