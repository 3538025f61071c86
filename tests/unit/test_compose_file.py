"""docker-compose.yml, as far as it can be tested without Docker. The rest is in tests/compose."""

import re

import yaml

from local import ROOT

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
BUILT_HERE = {name for name, service in SERVICES.items() if service["image"] == "nameko-kafka-poc"}


def needed_by(name: str) -> set[str]:
    """Return the services that this service depends on, directly or through other services."""
    direct = set(SERVICES[name].get("depends_on", ()))
    return direct.union(*map(needed_by, direct))


def test_one_service_builds_the_image_and_the_other_services_with_this_image_depend_on_that_service():
    """Newer versions of Compose can fail if several services build one tag at the same time."""
    [builder] = [name for name, service in SERVICES.items() if "build" in service]
    assert {"api", "ping", "pong"} == BUILT_HERE
    assert all(builder in needed_by(name) for name in BUILT_HERE - {builder})


def test_the_image_that_is_built_here_is_never_pulled():
    assert {SERVICES[name].get("pull_policy") for name in BUILT_HERE} == {"never"}


def test_other_images_are_pinned_to_a_minor_version():
    tags = {SERVICES[name]["image"].partition(":")[2] for name in SERVICES.keys() - BUILT_HERE}
    assert all(re.match(r"v?\d+\.\d+", tag) for tag in tags), tags


def test_monitoring_is_not_started_unless_asked_for():
    monitoring = {name for name, service in SERVICES.items() if service.get("profiles") == ["monitoring"]}

    assert monitoring == {"prometheus", "grafana"}
    assert not any(needed_by(name) & monitoring for name in SERVICES)
