"""`make screenshots`: takes the pictures of the page for the documents. They show real runs on real brokers.

Pong is frozen for some seconds, and then a second instance joins, so that the charts have marks.
"""

import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from local import ROOT
from local.brokers import Brokers
from tests.conftest import processes
from tests.integration.processes import Stack
from tests.page.browser import Tab
from tests.page.conftest import CHROMIUM

IMAGES = ROOT / "docs/images"
MESSAGES = 600_000
FROZEN_SECONDS = 5
WATCHED_SECONDS = 8
DESKTOP = {"viewport": {"width": 1360, "height": 1800}}
PHONE = {"viewport": {"width": 390, "height": 1200}, "is_mobile": True, "device_scale_factor": 2}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    expect.set_options(timeout=300_000)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        with Brokers(Path(folder) / "brokers") as brokers, processes(brokers, Path(folder)) as start:
            stack = Stack(brokers, start)
            stack.wait_until_ready()
            take_all(browser, stack)


def take_all(browser: Browser, stack: Stack) -> None:
    with tab(browser, stack, **DESKTOP, color_scheme="light") as desktop:
        desktop.open()
        plain = desktop.start(MESSAGES // 10)
        desktop.expect_state("done")
        disturbed = desktop.start(MESSAGES)
        disturb(desktop, stack)
        save(desktop, "light")
        desktop.expect_state("done")
    with tab(browser, stack, **DESKTOP, color_scheme="dark") as desktop:
        desktop.open(f"{disturbed}&with={plain.partition('=')[2]}")
        expect(desktop.page.locator("article .state[data-state=done]")).to_have_count(2)
        save(desktop, "dark")
    with tab(browser, stack, **PHONE) as phone:
        phone.open(disturbed)
        phone.expect_state("done")
        phone.page.locator("#view").evaluate("view => view.scrollIntoView()")
        save(phone, "phone")


def disturb(desktop: Tab, stack: Stack) -> None:
    """Freeze pong, resume it, and start a second instance."""
    received = desktop.page.locator(".progress progress").nth(1)
    expect(received).not_to_have_attribute("value", "0")
    desktop.page.wait_for_timeout(WATCHED_SECONDS * 1000)
    stack.pong.freeze()
    time.sleep(FROZEN_SECONDS)
    stack.pong.resume()
    expect(desktop.page.locator(".marks").first).to_contain_text("go")
    stack.start_service("pong")
    desktop.page.wait_for_timeout(WATCHED_SECONDS * 1000)


@contextmanager
def tab(browser: Browser, stack: Stack, **options):
    context = browser.new_context(**options)
    yield Tab(context.new_page(), stack.port)
    context.close()


def save(tab: Tab, name: str) -> None:
    tab.page.wait_for_timeout(1000)  # until the last CSS transition is over
    tab.page.screenshot(path=IMAGES / f"page-{name}.png")


if __name__ == "__main__":
    main()
