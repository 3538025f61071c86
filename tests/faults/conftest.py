"""Faults, one per test. A quick pass tries each once, except those marked `long`.

With --repeat, each fault is tried several times, with long outages and more load.
"""

from dataclasses import asdict

import pytest

from tests.faults.trial import Row, Trial

ROWS = pytest.StashKey[dict[str, Row]]()


def pytest_addoption(parser):
    parser.addoption("--repeat", type=int, default=0, help="try each fault this often, with longer runs and outages")


def pytest_configure(config):
    config.stash[ROWS] = {}
    config.addinivalue_line("markers", "long: a test that a quick pass has no time for")


def pytest_generate_tests(metafunc):
    repeat = metafunc.config.getoption("--repeat")
    if repeat and "trial" in metafunc.fixturenames:
        metafunc.fixturenames.append("_round")
        metafunc.parametrize("_round", range(repeat))


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--repeat"):
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture
def trial(request, stack, ledger):
    """The runs during a fault. The first line of the test's docstring is the name of the fault in the table."""
    name = request.function.__doc__.partition("\n")[0].rstrip(".")
    if hasattr(request.node, "callspec"):
        name = name.format(**request.node.callspec.params)
    row = request.config.stash[ROWS].setdefault(name, Row(name))
    return Trial(stack, ledger, row, bool(request.config.getoption("--repeat")))


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash[ROWS].values()
    if not any(row.runs for row in rows):
        return
    terminalreporter.section("faults")
    terminalreporter.line(f"{'fault':<58} runs  failed   messages  lost  duplicates  recovered in")
    for row in rows:
        terminalreporter.line(
            "{fault:<58} {runs:>4} {failed:>7} {messages:>10,} {lost:>5} {duplicates:>11,} {seconds:>11.1f} s".format(
                **asdict(row)
            )
        )
