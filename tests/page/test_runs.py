"""A user on the page: start, watch, stop, compare, come back later."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from local.waiting import wait_until
from tests.integration.processes import all_serve, eventually
from tests.integration.runs import post

STAGES = ["Sent", "Pong received", "Pong answered", "Ping received"]


def stages_of(tab, number: int = 0):
    return tab.page.locator("article").nth(number).locator(".progress li")


def test_a_run_is_started_by_a_click_and_watched_to_its_end(tab):
    tab.open()
    tab.start(20_000)
    expect(tab.page.get_by_role("heading", name="20,000 messages of 100 bytes from ping")).to_be_visible()
    tab.expect_state("done")

    expect(stages_of(tab)).to_contain_text([f"{name}20,000 of 20,000, 100 %" for name in STAGES])
    assert tab.losses() == ["0", "0", "0", "0"]
    assert tab.page.locator(".chart canvas").count() >= 2
    expect(tab.page.locator("#runs a[aria-current]")).to_contain_text("ping 20K × 100 B")


def test_the_charts_of_a_finished_run_can_be_shown_as_tables(tab):
    tab.open()
    tab.start(20_000, 10, "pong")
    tab.expect_state("done")
    tab.page.reload()
    tab.expect_state("done")

    for title, least in ("Messages per second", 1), ("Latency distribution", 5):
        chart = tab.page.locator("figure", has_text=title).first
        chart.get_by_text(f"{title} as a table").click()
        expect(chart.locator("table tbody tr").nth(least - 1)).to_be_visible()
        assert re.search(r"Sent at most \d", chart.get_by_role("img").get_attribute("aria-label"))


def test_a_run_is_stopped_by_a_click(tab):
    tab.open()
    tab.start(1_000_000)
    tab.page.get_by_role("button", name="Stop").click()
    tab.expect_state("stopped")

    expect(tab.page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(tab.page.locator(".reason").first).to_contain_text("stopped")


def test_a_late_response_does_not_hide_that_a_run_was_stopped(tab):
    # Given that the response to a click on Stop comes after the last event of the run
    held = []

    def hold_delete(route):
        if route.request.method == "DELETE":
            held.append((route, route.fetch()))
        else:
            route.continue_()

    tab.page.route("**/runs/*", hold_delete)
    tab.open()
    tab.page.get_by_label("Messages per second").fill("100")  # so that few messages are under way at the stop
    tab.start(10_000)
    ended = []
    for event in "requestfinished", "requestfailed":  # the API ends the stream, or the page does
        tab.page.on(event, lambda request: request.url.endswith("/events") and ended.append(request))
    tab.page.get_by_role("button", name="Stop").click()
    tab.expect_state("stopped")
    assert wait_until(lambda: ended or tab.page.wait_for_timeout(100), 60)

    # Then the run stays stopped
    ((route, response),) = held
    route.fulfill(response=response)
    expect(tab.page.get_by_role("status")).to_have_text("The run is asked to stop.")
    tab.expect_state("stopped")


def test_two_runs_are_shown_side_by_side_even_after_a_reload(tab):
    tab.open()
    first = tab.start(2000)
    tab.expect_state("done")
    tab.start(3000, 100, "pong")
    tab.expect_state("done")
    tab.page.locator(f'#runs li:has(a[href="{first}"]) .compare').click()

    expect(tab.page.locator("article")).to_have_count(2)
    tab.page.reload()
    expect(tab.page.locator("article .state[data-state=done]")).to_have_count(2)
    figures = tab.page.locator(".compared table")
    expect(figures).to_contain_text("pong 3K × 100 B")
    expect(figures).to_contain_text("ping 2K × 100 B")
    tab.page.go_back()
    tab.page.go_back()
    expect(tab.page.locator("article")).to_have_count(1)
    assert tab.path == first

    id = first.split("=")[1]
    tab.open(f"/?run={id.upper()}&with={id}")
    expect(tab.page.locator("article")).to_have_count(1)  # it is the same run


def test_a_run_goes_on_when_the_page_is_reloaded(tab):
    tab.open()
    path = tab.start(100_000)
    tab.page.reload()

    assert tab.path == path
    tab.expect_state("done")
    assert tab.losses() == ["0", "0", "0", "0"]


def test_a_run_is_started_again_and_downloaded(tab, tmp_path):
    tab.open()
    first = tab.start(1500, 20)
    tab.expect_state("done")
    tab.page.get_by_role("button", name="Run again").click()
    tab.page.wait_for_url(lambda url: first not in url)
    tab.expect_state("done")
    with tab.page.expect_download() as download:
        tab.page.get_by_role("link", name="Download JSON").click()
    file = Path(tmp_path / "run.json")
    download.value.save_as(file)

    run = json.loads(file.read_text())
    assert (run["num_messages"], run["size"], run["state"]) == (1500, 20, "done")
    assert download.value.suggested_filename == f"run-{run['id']}.json"


def test_a_wrong_number_is_refused_by_the_page_or_by_the_api(new_tab):
    with new_tab(allowed=True) as tab:
        tab.open()
        tab.page.get_by_label("Messages", exact=False).first.fill("many")
        tab.page.get_by_role("button", name="Start").click()
        expect(tab.page.locator("#start-error")).to_contain_text("Messages: a whole number")
        expect(tab.page.locator("#messages")).to_be_focused()

        tab.page.locator("#messages").fill("2000000")
        tab.page.get_by_role("button", name="Start").click()
        expect(tab.page.locator("#start-error")).to_contain_text("from 1 to 1000000")
        assert tab.path == "/"


def test_an_unknown_run_is_reported(new_tab):
    with new_tab(allowed=True) as tab:
        tab.open("/?run=3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11")

        expect(tab.page.get_by_role("heading", name="This run cannot be shown")).to_be_visible()


def test_no_run_is_missing_in_the_list_after_many_new_runs(tab, stack):
    tab.open()
    tab.start(10)
    older = [post(stack, "/pong/1/1").headers["Location"] for _ in range(14)]
    tab.start(20)  # reads the list again
    links = tab.page.locator("#runs li > a:first-child")
    expect(links.nth(11)).to_have_attribute("href", f"/?run={older[3].split('/')[-1]}")
    tab.page.get_by_role("button", name="Show older runs").dblclick()
    expect(links.nth(12)).to_be_visible()

    shown = [link.split("=")[1] for link in links.evaluate_all("all => all.map(each => each.getAttribute('href'))")]
    newest = [run["id"] for run in stack.get("/runs?limit=100").json()["runs"]]
    assert len(shown) > 12
    assert shown == newest[: len(shown)]


def test_the_list_offers_no_older_runs_that_the_api_has_dropped(new_tab, stack):
    port, _ = stack.start_api(RUNS_KEPT="14")
    for _ in range(14):
        post(stack, "/pong/1/1")
    eventually(lambda: all_serve(port))
    with new_tab(allowed=True) as tab:  # the browser logs the 404
        tab.base = f"http://localhost:{port}"
        tab.open()
        older = tab.page.get_by_role("button", name="Show older runs")
        expect(older).to_be_visible()
        for _ in range(5):
            post(stack, "/pong/1/1")
        tab.start(10)  # reads the list again
        expect(tab.page.locator("#runs li")).to_have_count(18)
        older.click()
        expect(older).to_be_hidden()


def test_latencies_have_plain_numbers(tab):
    tab.open()
    shown = tab.page.evaluate(
        "values => import('/static/js/format.js').then(({ milliseconds }) => values.map(milliseconds))",
        [0, 0.05, 9.96, 99.4, 99.6, 999.4, 1500],
    )

    assert shown == ["0 ms", "0.050 ms", "10 ms", "99 ms", "100 ms", "999 ms", "1.5 s"]
