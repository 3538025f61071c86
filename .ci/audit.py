"""`make audit`: looks for known vulnerabilities of the installed packages.

The exit code is 1 if there is a vulnerability that ACCEPTED does not list.
If none of the services that pip-audit asks can be reached, this program says so and exits with 0.
"""

import json
import subprocess
import sys
from pathlib import Path

PLACES = {"pypi": "pypi.org", "osv": "osv.dev"}
SECONDS = 60
"""The timeout for each service."""
ACCEPTED: dict[str, str] = {}
"""The id of each vulnerability that does no harm here, with the reason."""


class Unreachable(Exception):
    """This service did not answer, or knows none of the packages."""


def main() -> int:
    for place, name in PLACES.items():
        try:
            packages = look_up(place)
        except Unreachable as why:
            print(f"Audit: {name} gave no result: {why}")
        else:
            return report(packages, name)
    print("Audit SKIPPED: no service that knows vulnerabilities can be reached from here.")
    return 0


def look_up(place: str) -> list[dict]:
    """Return what the service says about each package."""
    command = [Path(sys.executable).with_name("pip-audit"), "--vulnerability-service", place, "--format", "json"]
    command += ["--local", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Unreachable(f"no answer within {SECONDS} s") from None
    if done.returncode > 1:
        sys.exit(done.stderr)  # wrong usage
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        raise Unreachable((done.stderr.splitlines() or ["no output"])[-1][:200]) from None
    # pip-audit does not fail if the service knows none of the packages.
    if all("skip_reason" in package for package in packages):
        raise Unreachable(f"it knows none of the {len(packages)} packages")
    return packages


def report(packages: list[dict], name: str) -> int:
    """Print what was found. Return the exit code."""
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    bad = 0
    for package in packages:
        for found in package.get("vulns", []):
            why = next((ACCEPTED[each] for each in [found["id"], *found["aliases"]] if each in ACCEPTED), None)
            bad += why is None
            fixed = ", ".join(found["fix_versions"]) or "no version yet"
            print(
                f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}: {found['description'][:300]}"
            )
            if why:
                print(f"  accepted: {why}")
    print(f"Audit: {len(packages) - len(skipped)} packages looked up at {name}, {bad} vulnerabilities to fix.")
    if skipped:
        print(f"{name} does not know these packages: {', '.join(skipped)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
