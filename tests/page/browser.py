"""A browser tab that collects errors."""

from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, expect

from local import ROOT

AXE = ROOT / "node_modules/axe-core/axe.min.js"
SECONDS = 60
"""The longest wait, in seconds. The machine may be busy with other tests."""


class Tab:
    """The page in a browser tab, as a user sees it. The tab collects errors, warnings and requests to other sites."""

    def __init__(self, page: Page, port: int):
        self.page = page
        self.base = f"http://localhost:{port}"
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.bytes = 0
        page.set_default_timeout(SECONDS * 1000)
        page.on("console", lambda message: self._note(message.type, message.text, message.location["url"]))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._check_site(request.url))
        page.on("requestfinished", self._weigh)

    def _note(self, kind: str, text: str, url: str) -> None:
        if kind in ("error", "warning"):
            self.errors.append(f"{text} {url}")

    def _check_site(self, url: str) -> None:
        if not url.startswith((f"{self.base}/", "data:", "blob:")):
            self.foreign.append(url)

    def _weigh(self, request: Request) -> None:
        sizes = request.sizes()
        self.bytes += sizes["responseBodySize"] + sizes["responseHeadersSize"]

    def open(self, path: str = "/") -> None:
        self.page.goto(self.base + path)

    def start(self, messages: int, size: int = 100, service: str = "ping") -> str:
        """Fill in the form and click Start. Return the path of the page with the new run."""
        self.page.locator(f"input[name=service][value={service}]").check()
        self.page.get_by_label("Messages", exact=False).first.fill(str(messages))
        self.page.get_by_label("Size in bytes").fill(str(size))
        before = self.page.url
        self.page.get_by_role("button", name="Start").click()
        self.page.wait_for_url(lambda url: "run=" in url and url != before)
        expect(self.page.locator(".state").first).to_be_visible()
        return self.path

    @property
    def path(self) -> str:
        url = urlsplit(self.page.url)
        return f"{url.path}?{url.query}" if url.query else url.path

    def expect_state(self, state: str) -> None:
        expect(self.page.locator(f".state[data-state={state}]").first).to_be_visible()

    def losses(self) -> list[str]:
        """Return the four counts of the page: missing, duplicates, out of order, failed."""
        return self.page.locator(".losses dd[title]").evaluate_all("all => all.map(each => each.title)")

    def violations(self) -> list[str]:
        """Return the serious and critical problems that axe finds."""
        # The page's Content-Security-Policy would block axe in a script element.
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run()")["violations"]
        return [
            f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']]}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
