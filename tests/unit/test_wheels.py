"""The second half of `make audit` finds locked packages that need a compiler."""

import importlib.util

import pytest

from local import ROOT

LINUX = "manylinux_2_17_{0}.manylinux2014_{0}"
PLATFORMS = [LINUX.format("x86_64"), LINUX.format("aarch64"), "macosx_11_0_arm64"]
EVERYWHERE = {f"fast-1.0-cp{python}-cp{python}-{platform}.whl" for python in (311, 313) for platform in PLATFORMS}
SOURCE = {"fast-1.0.tar.gz"}


@pytest.fixture(scope="module")
def wheels():
    spec = importlib.util.spec_from_file_location("wheels", ROOT / ".ci" / "wheels.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def problems(wheels):
    """Return a function that checks one locked package. The package index has `files`. `package` may set markers."""

    def problems(files: set[str], hashes: int | None = None, **package: str) -> list[str]:
        locked = {"version": "==1.0", "hashes": ["sha256:…"] * (len(files) if hashes is None else hashes), **package}
        return wheels.check({"fast": locked}, {"fast": files}.get)

    return problems


@pytest.mark.parametrize(
    "files",
    [
        EVERYWHERE,
        {f"fast-1.0-cp39-abi3-{platform}.whl" for platform in PLATFORMS},
        {f"fast-1.0-py3-none-{platform}.whl" for platform in PLATFORMS},
        {"fast-1.0-py3-none-any.whl"},
    ],
    ids=["per version", "stable ABI", "any Python", "pure"],
)
def test_a_wheel_for_each_platform_is_no_problem(problems, files):
    assert problems(files | SOURCE) == []


def test_a_platform_without_a_wheel_is_named(problems):
    files = {file for file in EVERYWHERE if "aarch64" not in file}
    assert problems(files | SOURCE) == ["fast 1.0: no wheel for Linux ARM 3.11, Linux ARM 3.13"]


def test_a_python_without_a_wheel_is_named(problems):
    files = {file for file in EVERYWHERE if "cp313" not in file}
    assert problems(files) == ["fast 1.0: no wheel for Linux x86-64 3.13, Linux ARM 3.13, macOS ARM 3.13"]


@pytest.mark.parametrize("platform", ["musllinux_1_2_aarch64", "manylinux_2_39_aarch64", "manylinux2014_armv7l"])
def test_a_wheel_for_another_linux_does_not_count(problems, platform):
    files = {file for file in EVERYWHERE if "aarch64" not in file}
    files |= {f"fast-1.0-cp{python}-cp{python}-{platform}.whl" for python in (311, 313)}
    assert problems(files) == ["fast 1.0: no wheel for Linux ARM 3.11, Linux ARM 3.13"]


def test_wheels_of_another_version_do_not_count(problems):
    others = {file.replace("-1.0-", "-1.1-") for file in EVERYWHERE}
    assert "no wheel for Linux x86-64 3.11" in problems(others | SOURCE)[0]


def test_a_package_needs_no_wheel_where_it_is_not_installed(problems):
    files = {file for file in EVERYWHERE if "macosx" not in file}
    assert problems(files, markers="sys_platform == 'linux'") == []
    assert problems(files, markers="python_version >= '3.12'") == ["fast 1.0: no wheel for macOS ARM 3.13"]


def test_a_wheel_that_came_after_the_lock_is_a_problem(problems):
    assert "make lock" in problems(EVERYWHERE, hashes=5)[0]


def test_an_index_that_does_not_know_the_version_counts_as_unreachable(wheels, problems):
    for files in set(), {"fast-0.9.tar.gz"}:
        with pytest.raises(wheels.Unreachable, match=r"fast 1\.0"):
            problems(files)


def test_a_package_is_pure_if_its_installed_copy_is(wheels):
    """nameko-kafka is on the index as source only."""
    locked = wheels.json.loads(wheels.LOCK.read_text())["default"]
    assert [wheels.is_pure(name, locked[name]["version"]) for name in ("nameko-kafka", "flask", "greenlet")] == [
        True,
        True,
        False,
    ]
    assert not wheels.is_pure("flask", "==1.0")
    assert not wheels.is_pure("not-installed", "==1.0")
