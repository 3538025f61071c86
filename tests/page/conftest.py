"""Opens the page of real services in the system's Chromium. Playwright controls it, and installs no browser."""

import os
import shutil
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.page.browser import AXE, SECONDS, Tab

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="session")
def chromium():
    if not CHROMIUM or not AXE.exists():
        pytest.skip("Chromium or node_modules is missing here. `make test` installs both.")
    expect.set_options(timeout=SECONDS * 1000)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def new_tab(chromium, stack):
    """Opens a tab for a `with` block. Requests to other sites fail the test. Errors fail it too, unless `allowed`."""

    @contextmanager
    def new_tab(allowed: bool = False, **options):
        context = chromium.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        tab = Tab(context.new_page(), stack.port)
        try:
            yield tab
        finally:
            context.close()
        assert tab.foreign == []
        assert allowed or tab.errors == []

    return new_tab


@pytest.fixture
def tab(new_tab):
    with new_tab() as tab:
        yield tab
