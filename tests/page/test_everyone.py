"""The page works with a keyboard, a phone, dark or light colours, and a screen reader. It is small and safe."""

import pytest
from playwright.sync_api import expect

WEIGHT = 150_000
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
WIDTH = "document.documentElement.scrollWidth"


def press_until(tab, key: str, selector: str) -> None:
    """Press a key until an element that matches `selector` has the focus."""
    for _ in range(60):
        if tab.page.locator(f"{selector}:focus").count():
            return
        tab.page.keyboard.press(key)
    raise AssertionError(f"the focus never reaches {selector}")


def test_the_page_works_with_the_keyboard_alone(tab):
    tab.open()
    press_until(tab, "Tab", "input[name=service]")
    tab.page.keyboard.press("ArrowRight")
    press_until(tab, "Tab", "#messages")
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.type("1000000")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/?run=*")
    expect(tab.page.get_by_role("heading", name="1,000,000 messages of 100 bytes from pong")).to_be_visible()
    press_until(tab, "Tab", "button.danger")
    tab.page.keyboard.press("Enter")
    tab.expect_state("stopped")

    heading = tab.page.locator("#view h2").element_handle()
    tab.page.locator(".skip").focus()
    tab.page.keyboard.press("Enter")
    assert heading.is_visible(), "the skip link must not draw the run again"
    press_until(tab, "Tab", "summary")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("figure details[open] table").first).to_be_visible()


def test_the_page_works_on_a_phone(new_tab):
    with new_tab(**PHONE) as tab:
        tab.open()
        assert tab.page.evaluate(WIDTH) == 390
        tab.start(5000)
        tab.expect_state("done")

        assert tab.page.evaluate(WIDTH) == 390
        expect(tab.page.locator("article h2")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(new_tab, scheme):
    with new_tab(color_scheme=scheme, reduced_motion="reduce") as tab:
        tab.open()
        expect(tab.page.locator("#ready")).to_have_text("Ready")
        assert tab.violations() == []
        first = tab.start(20_000)
        tab.expect_state("done")
        tab.page.locator("summary").first.click()
        assert tab.violations() == []
        tab.start(3000, 100, "pong")
        tab.expect_state("done")
        tab.page.locator(f'#runs li:has(a[href="{first}"]) .compare').click()
        expect(tab.page.locator(".compared table")).to_be_visible()
        assert tab.violations() == []


def test_changes_are_announced_to_screen_readers(tab):
    tab.open()
    tab.start(5000)
    tab.expect_state("done")

    expect(tab.page.get_by_role("status")).to_have_text("Run done, missing 0, duplicates 0, out of order 0, failed 0.")


def test_lines_differ_without_colours(tab):
    tab.open()
    tab.start(1000)
    tab.expect_state("done")
    lines = tab.page.locator("figure").first.locator(".sample line")
    dashes = lines.evaluate_all("lines => lines.map(line => line.getAttribute('stroke-dasharray'))")

    assert len(dashes) == len(set(dashes)) == 4


def test_the_files_of_the_page_are_small(new_tab):
    with new_tab() as tab:
        tab.open()
        path = tab.start(5000)
        tab.expect_state("done")
    with new_tab() as tab:
        tab.open(path)
        tab.expect_state("done")
        tab.page.wait_for_load_state("networkidle")

    assert 50_000 < tab.bytes < WEIGHT


def test_a_page_of_another_site_can_start_no_run(new_tab, stack):
    """The browser tells the API from which site a request comes. localhost and 127.0.0.1 are different sites."""
    form = "([method, action]) => Object.assign(document.createElement('form'), {method, action})"
    with new_tab(allowed=True) as tab:
        tab.page.route("http://localhost:9/", lambda route: route.fulfill(body="<body></body>"))
        for method, number in ("GET", 7001), ("POST", 7002):
            tab.page.goto("http://localhost:9/")
            with tab.page.expect_navigation() as navigation:
                url = f"http://127.0.0.1:{stack.port}/ping/{number}/1"
                tab.page.evaluate(f"asked => document.body.appendChild(({form})(asked)).submit()", [method, url])
            assert navigation.value.status == 403
        tab.foreign.clear()

    assert not {7001, 7002} & {run["num_messages"] for run in stack.get("/runs").json()["runs"]}
