"""What people see and do, by role and words: a browser of their own, the inbox, the chat on a website. No assertions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, FrameLocator, Locator, Page, Request

    from tests.acceptance.running import RunningHub

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
AXE_RUN = "() => axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
WIDE, PHONE = {"width": 1440, "height": 860}, {"width": 390, "height": 844}
WATCH = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error("policy violated: " + event.violatedDirective + " " + event.blockedURI));
"""


class Person:
    """
    Somebody with a browser of their own: cookies, storage and tabs that nobody else has.

    Attributes:
        complaints: Errors on the console, uncaught exceptions, violated policies and calls to other hosts, of all tabs.
        expected: What may stand on the console because the test provokes it.
    """

    def __init__(self, browser: Browser, hub: RunningHub, **options: Any) -> None:
        self.hub = hub
        self.complaints: list[str] = []
        self.expected: list[re.Pattern[str]] = []
        self.context = browser.new_context(
            **{"base_url": hub.base_url, "viewport": WIDE, "reduced_motion": "reduce", "locale": "en-GB", **options}
        )
        self.context.add_init_script(WATCH)
        self.context.on("console", self._note_console)
        self.context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        self.context.on("request", self._note_request)
        self.page: Page = self.context.new_page()

    def expect_on_console(self, pattern: str) -> None:
        """Allow console errors that match, from now on."""
        self.expected.append(re.compile(pattern))

    def axe(self, page: Page | None = None) -> list[str]:
        """Return what axe finds on a page and in its frames."""
        found = []
        for frame in (page or self.page).frames:
            frame.evaluate(AXE.read_text("utf-8"))
            for one in frame.evaluate(AXE_RUN)["violations"]:
                found += [f"{one['id']}: {node['html'][:160]}" for node in one["nodes"]]
        return found

    def overflow_px(self) -> int:
        """Return how far the page is wider than its window."""
        return self.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def _note_console(self, message: ConsoleMessage) -> None:
        text = f"{message.text} ({message.location.get('url', '')})"
        if message.type == "error" and not any(one.search(text) for one in self.expected):
            self.complaints.append(text)

    def _note_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.hub.base_url).netloc:
            self.complaints.append(f"asked another host: {request.url}")


class Inbox:
    """A member's tab."""

    def __init__(self, person: Person, page: Page | None = None) -> None:
        self.person = person
        self.page = page or person.page
        self.list = self.page.get_by_role("region", name="Conversations")
        self.thread = self.page.get_by_role("region", name="Thread")
        self.contact = self.page.get_by_role("complementary", name="Contact")
        self.toasts = self.page.locator(".toasts")

    def sign_in(self, email: str, password: str) -> None:
        """Fill the sign-in page and wait for the inbox."""
        self.page.goto("/")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_role("textbox", name="Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.wait_until_live()

    def wait_until_live(self, timeout_s: float = 15) -> None:
        """Wait until the connection is good."""
        expect(self.page.locator(".pill-live").filter(visible=True)).to_be_visible(timeout=timeout_s * 1000)

    def row(self, text: str) -> Locator:
        """Find the row of a conversation by what it shows."""
        return self.list.get_by_role("listitem").filter(has_text=text)

    @property
    def chosen(self) -> Locator:
        """The row of the conversation on screen."""
        return self.list.locator(".row[aria-current='true']")

    def open(self, text: str) -> None:
        """Open a conversation by what its row shows."""
        self.row(text).get_by_role("link").click()

    def tab(self, name: str) -> Locator:
        """Find Open, Snoozed or Closed, with its count."""
        return self.list.get_by_role("navigation", name="Status").get_by_role("link", name=re.compile(f"^{name}"))

    def bubble(self, text: str) -> Locator:
        """Find a message of the thread."""
        return self.thread.get_by_role("article").filter(has_text=text)

    @property
    def field(self) -> Locator:
        """Where replies are written."""
        return self.thread.get_by_role("textbox", name="Reply")

    @property
    def note_field(self) -> Locator:
        """Where notes are written."""
        return self.thread.get_by_role("textbox", name="Note")

    def reply(self, text: str) -> None:
        """Send a reply as people do: type, Ctrl+Enter."""
        self.field.fill(text)
        self.field.press("Control+Enter")

    def note(self, text: str) -> None:
        """Add a note by its tab and button."""
        self.thread.get_by_role("tab", name="Note").click()
        self.note_field.fill(text)
        self.thread.get_by_role("button", name="Add note").click()
        self.thread.get_by_role("tab", name="Reply").click()

    def choose(self, menu: str, item: str) -> None:
        """Open a menu of the thread's head and take an item."""
        self.thread.get_by_role("button", name=re.compile(f"^{menu}")).click()
        self.page.get_by_role("menu").locator("[role^='menuitem']").filter(has_text=item).first.click()

    def press(self, key: str) -> None:
        """Press a key outside of any field."""
        self.page.evaluate("() => document.activeElement instanceof HTMLElement && document.activeElement.blur()")
        self.page.keyboard.press(key)


class Chat:
    """A visitor on a website with our chat."""

    def __init__(self, person: Person, page: Page | None = None) -> None:
        self.person = person
        self.page = page or person.page

    def visit(self, account_id: str) -> None:
        """Go to the sample website and open the chat."""
        self.page.goto(f"/sample/{account_id}")
        self.open()

    def open(self) -> None:
        """Open the chat."""
        self.launcher.click()
        expect(self.field).to_be_visible()

    @property
    def launcher(self) -> Locator:
        """The round button in the corner."""
        return self.page.locator("hub-chat button")

    @property
    def frame(self) -> FrameLocator:
        """The frame with the conversation."""
        return self.page.frame_locator("hub-chat iframe")

    @property
    def field(self) -> Locator:
        """Where the visitor writes."""
        return self.frame.get_by_role("textbox", name="Your message")

    @property
    def log(self) -> Locator:
        """The conversation."""
        return self.frame.get_by_role("log")

    @property
    def typing(self) -> Locator:
        """Shown while a member writes."""
        return self.log.get_by_text("We are typing…")

    def message(self, text: str) -> Locator:
        """Find a message of the conversation."""
        return self.log.get_by_role("listitem").filter(has_text=text)

    def say(self, text: str) -> None:
        """Write and send."""
        self.field.fill(text)
        self.field.press("Enter")
