"""`make audit`: looks for packages of Pipfile.lock that need a compiler.

A pure Python package needs no compiler, even if the index has only its source. The installed copy says if a package is
pure. For all other packages, the index must have a wheel for each platform. The exit code is 1 if a package has a
problem. If the index cannot be reached, this program says so and exits with 0.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

LOCK = Path(__file__).parents[1] / "Pipfile.lock"
PYTHONS = [(3, 11), (3, 13)]
GLIBC = 36
"""The newest glibc 2.x that a wheel may ask for. Debian 12 has this glibc.

Of all releases of Debian and Ubuntu whose default Python is 3.11 or newer, Debian 12 has the oldest glibc."""
MACOS = (14, 0)
"""The newest macOS that a wheel may ask for."""
SECONDS = 60
"""The timeout of one question to the index."""


class Unreachable(Exception):
    """The index said nothing about a package."""


@dataclass(frozen=True)
class Target:
    """A platform with a version of Python."""

    name: str
    environment: dict[str, str]
    tags: frozenset[Tag]
    """The tags of the wheels that pip can install on this platform."""


def main() -> int:
    lock = json.loads(LOCK.read_text())
    packages = lock["default"] | lock["develop"]
    compiled = {name: package for name, package in packages.items() if not is_pure(name, package["version"])}
    try:
        problems = check(compiled, files_at_index)
    except Unreachable as why:
        print(f"Wheels SKIPPED: nothing from the package index about {why}")
        return 0
    for problem in problems:
        print(problem)
    print(
        f"Wheels: {len(packages) - len(compiled)} packages are pure, {len(compiled)} were looked up for"
        f" {', '.join(target.name for target in targets())}. Problems: {len(problems)}."
    )
    return 1 if problems else 0


def is_pure(name: str, version: str) -> bool:
    """Return whether this version is installed here and consists of Python code only."""
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return False
    wheel = (installed.read_text("WHEEL") or "").splitlines()
    tags = [line for line in wheel if line.startswith("Tag: ")]
    only_python = "Root-Is-Purelib: true" in wheel and any(tag.endswith("-none-any") for tag in tags)
    return only_python and version == f"=={installed.version}"


def check(packages: dict[str, dict], look_up: Callable[[str], set[str]]) -> list[str]:
    """Return one line for each package with a problem. Raise Unreachable if the index says nothing about a package."""
    with ThreadPoolExecutor(4) as pool:
        answers = {name: pool.submit(look_up, name) for name in packages}
        try:
            checked = [problem(name, package, answers[name].result()) for name, package in packages.items()]
        except Unreachable:
            pool.shutdown(cancel_futures=True)  # the index is down or incomplete
            raise
    return [line for line in checked if line]


def problem(name: str, package: dict, files: set[str]) -> str:
    """Return the problem of this package in one line, or "" if there is none."""
    version = package["version"].removeprefix("==")
    found = {file: tags for file, of, tags in parsed(files) if of == version}
    if not found:
        raise Unreachable(f"{name} {version}")
    marker = Marker(package.get("markers", "python_version > '3'"))
    missing = [
        target.name
        for target in targets()
        if marker.evaluate(target.environment) and not any(tags & target.tags for tags in found.values())
    ]
    if missing:
        return f"{name} {version}: no wheel for {', '.join(missing)}"
    if len(found) > len(package["hashes"]):  # pip refuses a wheel that is newer than the lock
        return f"{name} {version}: the index has more files than Pipfile.lock. Run `make lock`."
    return ""


def parsed(files: set[str]) -> Iterator[tuple[str, str, frozenset[Tag]]]:
    """Yield each file with its version and its tags. A source file has no tags."""
    for file in files:
        try:
            if file.endswith(".whl"):
                _, version, _, tags = parse_wheel_filename(file)
            else:
                (_, version), tags = parse_sdist_filename(file), frozenset[Tag]()
        except (InvalidWheelFilename, InvalidSdistFilename):
            continue  # a file of an old version; today the index refuses such names
        yield file, str(version), tags


def files_at_index(name: str) -> set[str]:
    """Return the names of all files of a package.

    pip knows where the index is. With `-vv`, pip also prints the name of each file that it finds there.
    """
    command = [sys.executable, "-m", "pip", "-vv", "--timeout", "20", "--retries", "2", "index", "versions", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{name} within {SECONDS} s") from None
    return set(re.findall(r"/([^/\s#]+\.(?:whl|tar\.gz|zip))(?=[\s#]|$)", done.stdout + done.stderr, re.MULTILINE))


@cache
def targets() -> list[Target]:
    """Return one target for every combination of a platform and a version of Python."""
    platforms = [
        ("Linux x86-64", "linux", "x86_64", linux_platforms("x86_64")),
        ("Linux ARM", "linux", "aarch64", linux_platforms("aarch64")),
        ("macOS ARM", "darwin", "arm64", list(mac_platforms(MACOS, "arm64"))),
    ]
    return [target(*platform, python) for platform in platforms for python in PYTHONS]


def target(name: str, system: str, machine: str, platforms: list[str], python: tuple[int, int]) -> Target:
    """Return one platform with one version of Python, and the tags that pip accepts there."""
    version = f"{python[0]}.{python[1]}"
    interpreter = f"cp{python[0]}{python[1]}"
    environment = {
        "sys_platform": system,
        "platform_system": system.capitalize(),
        "platform_machine": machine,
        "python_version": version,
        "python_full_version": f"{version}.0",
    }
    tags = [
        *cpython_tags(python, abis=[interpreter], platforms=platforms),
        *compatible_tags(python, interpreter=interpreter, platforms=platforms),
    ]
    return Target(f"{name} {version}", environment, frozenset(tags))


def linux_platforms(machine: str) -> list[str]:
    """Return the platform tags of all glibc versions up to GLIBC.

    Three of these versions also have an older tag, such as `manylinux2014`.
    """
    names = [f"manylinux_2_{minor}" for minor in range(5, GLIBC + 1)] + ["manylinux1", "manylinux2010", "manylinux2014"]
    return [f"{name}_{machine}" for name in names]


if __name__ == "__main__":
    sys.exit(main())
