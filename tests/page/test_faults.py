"""The page shows what stalls or is down, and recovers by itself."""

from playwright.sync_api import expect

HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""

DRAWN = """() => new Promise(drawn => {
    new MutationObserver(() => drawn()).observe(document.querySelector(".losses"), {childList: true});
})"""
"""Waits until the page has drawn the run again."""


def test_the_charts_mark_when_a_frozen_pong_stalls_and_when_it_goes_on(new_tab, stack):
    with new_tab(allowed=True) as tab:
        tab.open()
        stack.pong.freeze()
        tab.start(5000)
        marks = tab.page.locator(".marks").first
        expect(marks).to_contain_text("Pong received stalls")

        stack.pong.resume()
        tab.expect_state("done")
        expect(marks).to_contain_text("Pong received goes on")
        live = marks.inner_text()
        tab.page.reload()
        tab.expect_state("done")
        assert tab.page.locator(".marks").first.inner_text() == live
        assert tab.losses()[0] == "0"


def test_the_api_is_restarted_during_a_run(new_tab, stack):
    with new_tab(allowed=True) as tab:
        tab.open()
        tab.start(200_000)
        stack.api.terminate()
        trouble = tab.page.get_by_role("alert").filter(has_text="The API is down.")
        expect(trouble).to_be_visible()
        tab.page.wait_for_timeout(3000)  # after 2 s without messages, a stage would stall
        expect(tab.page.locator(".marks").first).not_to_contain_text("stall")

        _, stack.api = stack.start_api(API_BIND=f"127.0.0.1:{stack.port}")
        expect(trouble).to_be_hidden()
        tab.expect_state("done")
        assert tab.losses()[0] == "0"


def test_kafka_is_away_for_a_while(new_tab, stack):
    with new_tab(allowed=True) as tab:
        tab.open()
        expect(tab.page.locator("#ready")).to_have_text("Ready")
        stack.brokers.kafka.suspend()
        trouble = tab.page.get_by_role("alert").filter(has_text="Kafka is down.")
        expect(trouble).to_be_visible()

        stack.brokers.kafka.resume()
        expect(trouble).to_be_hidden()
        expect(tab.page.get_by_role("status")).to_contain_text("Everything works again.")
        tab.start(1000)
        tab.expect_state("done")


def test_rabbitmq_is_away_for_a_while(new_tab, stack):
    with new_tab(allowed=True) as tab:
        tab.open()
        expect(tab.page.locator("#ready")).to_have_text("Ready")
        stack.brokers.rabbitmq.suspend()
        expect(tab.page.get_by_role("alert").filter(has_text="RabbitMQ is down.")).to_be_visible()

        stack.brokers.rabbitmq.resume()
        expect(tab.page.locator("#ready")).to_have_text("Ready")


def test_a_hidden_tab_keeps_no_stream_open(tab):
    def is_stream(request) -> bool:
        return request.url.endswith("/events")

    tab.open()
    with tab.page.expect_request(is_stream):
        tab.start(1_000_000)
    with tab.page.expect_event("requestfailed", is_stream):
        tab.page.evaluate(HIDE, True)
    with tab.page.expect_request(is_stream):
        tab.page.evaluate(HIDE, False)

    tab.page.get_by_role("button", name="Stop").click()
    tab.expect_state("stopped")


def test_the_page_keeps_showing_why_a_run_could_not_be_stopped(new_tab, stack):
    with new_tab(allowed=True) as tab:
        tab.open()
        tab.start(1_000_000)
        stack.brokers.kafka.suspend()
        tab.page.get_by_role("button", name="Stop").click()
        reason = tab.page.locator(".reason").first
        expect(reason).to_contain_text("Kafka")
        tab.page.evaluate(DRAWN)
        expect(reason).to_contain_text("Kafka")

        # Kafka works again, the run stops, and the page removes the error
        stack.brokers.kafka.resume()
        tab.expect_state("stopped")
        expect(reason).not_to_contain_text("Kafka")
