"""The built widget in a real browser, on a customer's page that allows nothing but our script and our frame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.e2e.conftest import FRONTEND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.mock_hub import MockHub

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 780}
WATCH = """
globalThis.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  violations.push(event.violatedDirective + " " + event.blockedURI));
"""


class Shop:
    """A visitor's browser on the customer's page."""

    def __init__(self, page: Page, hub: MockHub) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.add_init_script(WATCH)
        page.goto(hub.site)

    @property
    def launcher(self) -> Any:
        return self.page.locator("hub-chat button")

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("hub-chat iframe")

    @property
    def field(self) -> Any:
        return self.frame.get_by_role("textbox", name="Your message")

    @property
    def log(self) -> Any:
        return self.frame.get_by_role("log")

    def say(self, text: str) -> None:
        self.field.fill(text)
        self.field.press("Enter")

    def violations(self) -> list[str]:
        return [one for frame in self.page.frames for one in frame.evaluate("() => globalThis.violations ?? []")]

    def axe(self) -> list[str]:
        """What axe finds on the page and in the frame."""
        source = (FRONTEND / "node_modules" / "axe-core" / "axe.min.js").read_text()
        found = []
        for frame in self.page.frames:
            frame.evaluate(source)
            result = frame.evaluate(
                "() => axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
            )
            found += [f"{one['id']}: {one['nodes'][0]['html']}" for one in result["violations"]]
        return found


@pytest.fixture
def visit(browser: Browser, mock_hub: MockHub) -> Iterator[Callable[..., Shop]]:
    """Open the customer's page in a fresh browser profile."""
    contexts = []

    def open_shop(**options: Any) -> Shop:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}))
        return Shop(contexts[-1].new_page(), mock_hub)

    yield open_shop
    for context in contexts:
        context.close()


def test_visitor_writes_and_is_answered_under_the_strictest_policy(visit: Callable[..., Shop], mock_hub: MockHub):
    """A message goes out, an answer comes in, both once, and no policy on either page is violated."""
    shop = visit()
    assert [frame.url for frame in shop.page.frames] == [mock_hub.site + "/"], (
        "the frame was loaded before it was wanted"
    )
    shop.launcher.click()
    expect(shop.field).to_be_focused()
    expect(shop.log).to_contain_text("Ask us anything")
    shop.say("Do you ship to Norway? https://shop.example/no")
    expect(shop.log.get_by_text("Do you ship")).to_have_count(1)
    expect(shop.log.locator("time")).to_have_count(1)
    mock_hub.type(on=True)
    expect(shop.log).to_contain_text("We are typing…")
    mock_hub.answer("We do, in three days.")
    expect(shop.log).to_contain_text("Priya Nair")
    expect(shop.log.get_by_text("We do, in three days.")).to_be_visible()
    expect(shop.log).not_to_contain_text("We are typing…")
    link = shop.log.get_by_role("link")
    assert (link.get_attribute("href"), link.get_attribute("rel")) == (
        "https://shop.example/no",
        "noopener noreferrer nofollow",
    )
    assert [one["text"] for one in mock_hub.messages] == [
        "Do you ship to Norway? https://shop.example/no",
        "We do, in three days.",
    ]
    shop.say("Thanks!")
    expect(shop.log.get_by_text("Thanks!")).to_have_count(1)
    expect(shop.log.locator("time")).to_have_count(3)
    assert {frame["type"] for frame in mock_hub.heard} >= {"hello", "typing", "send", "read"}
    assert shop.violations() == []
    assert shop.errors == []


def test_escape_closes_and_focus_returns_to_the_launcher(visit: Callable[..., Shop]):
    """Escape inside the frame closes the chat; opening again finds the same chat and its draft."""
    shop = visit()
    shop.launcher.focus()
    shop.page.keyboard.press("Enter")
    expect(shop.field).to_be_focused()
    shop.field.fill("half a sentence")
    shop.page.keyboard.press("Escape")
    expect(shop.page.locator("hub-chat section")).to_be_hidden()
    expect(shop.launcher).to_be_focused()
    shop.page.keyboard.press("Enter")
    expect(shop.field).to_be_focused()
    expect(shop.field).to_have_value("half a sentence")


def test_an_answer_while_closed_is_counted_on_the_launcher(visit: Callable[..., Shop], mock_hub: MockHub):
    """The badge counts what came while the chat was closed, also on the site's next page, until it is opened."""
    shop = visit()
    shop.launcher.click()
    shop.say("Hello?")
    expect(shop.log.locator("time")).to_have_count(1)
    shop.launcher.click()
    mock_hub.answer("Hello!")
    expect(shop.page.get_by_role("button", name="Open chat, 1 unread")).to_be_visible()
    shop.page.goto(mock_hub.site + "/other")
    expect(shop.page.get_by_role("button", name="Open chat, 1 unread")).to_be_visible()
    shop.launcher.click()
    expect(shop.log).to_contain_text("Hello!")
    expect(shop.page.get_by_role("button", name="Close chat", exact=True).first).to_be_visible()
    assert shop.errors == []


def test_draft_and_unsent_message_survive_a_reload(visit: Callable[..., Shop], mock_hub: MockHub):
    """What was written while the hub was away is there after a reload, and is sent once."""
    shop = visit()
    shop.launcher.click()
    shop.say("First")
    expect(shop.log.locator("time")).to_have_count(1)
    mock_hub.is_down = True
    mock_hub.cut()
    shop.say("Written while away")
    expect(shop.log).to_contain_text("Sending…")
    shop.field.fill("and a draft")
    shop.page.wait_for_function("() => Object.keys(localStorage).some((key) => key.endsWith(':draft'))")
    mock_hub.is_down = False
    shop.page.reload()
    expect(shop.log.get_by_text("Written while away")).to_have_count(1)
    expect(shop.log.locator("time")).to_have_count(1)
    expect(shop.field).to_have_value("and a draft")
    assert [one["text"] for one in mock_hub.messages] == ["First", "Written while away"]


def test_phone_shows_the_chat_on_the_whole_screen(visit: Callable[..., Shop], mock_hub: MockHub):
    """At 480 px and less the chat fills the screen, without a launcher over it, and can be closed."""
    shop = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    shop.launcher.tap()
    expect(shop.field).to_be_visible()
    chat = shop.page.locator("hub-chat section")
    # It slides in: a measure taken on the way is half a pixel off.
    chat.evaluate("(chat) => Promise.all(chat.getAnimations({ subtree: true }).map((one) => one.finished))")
    assert chat.bounding_box() == {"x": 0, "y": 0, **PHONE}
    expect(shop.launcher).to_be_hidden()
    shop.field.tap()
    shop.say("From a phone")
    expect(shop.log).to_contain_text("From a phone")
    shop.frame.get_by_role("button", name="Close chat").tap()
    expect(shop.launcher).to_be_visible()
    assert shop.violations() == []


def test_pre_chat_form_is_asked_for_first(visit: Callable[..., Shop], mock_hub: MockHub):
    """The form's answers go with the visit; what is required is required."""
    mock_hub.config["pre_chat"] = [
        {"name": "name", "label": "Your name", "required": False},
        {"name": "email", "label": "Your e-mail address", "required": True},
    ]
    shop = visit()
    shop.launcher.click()
    expect(shop.frame.get_by_label("Your name")).to_be_focused()
    shop.frame.get_by_role("button", name="Start chat").click()
    assert mock_hub.visits == []
    shop.frame.get_by_label("Your e-mail address").fill("ana@shop.example")
    shop.frame.get_by_role("button", name="Start chat").click()
    expect(shop.field).to_be_visible()
    assert mock_hub.visits[0]["form"] == {"email": "ana@shop.example"}
    assert mock_hub.visits[0]["page_url"] == mock_hub.site + "/"


def test_identity_and_reset_from_the_page(visit: Callable[..., Shop], mock_hub: MockHub):
    """The page says who the visitor is, and forgets them on this device when they sign out."""
    mock_hub.config["identity_required"] = True
    shop = visit()
    shop.launcher.click()
    expect(shop.frame.get_by_text("Please sign in")).to_be_visible()
    shop.page.evaluate("() => hubChat.identify({ user_id: '7', hmac: 'abc' })")
    expect(shop.field).to_be_visible()
    assert mock_hub.visits[0]["identity"] == {"user_id": "7", "hmac": "abc"}
    shop.page.wait_for_function("() => Object.keys(localStorage).some((key) => key.endsWith(':token'))")
    shop.page.evaluate("() => hubChat.reset()")
    expect(shop.frame.get_by_text("Please sign in")).to_be_visible()
    assert shop.page.evaluate("() => Object.keys(localStorage).filter((key) => !key.endsWith(':look'))") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("color", ["#245fd4", "#ffd400"])
def test_nothing_stands_in_the_way_of_assistive_technology(
    visit: Callable[..., Shop], mock_hub: MockHub, scheme: str, color: str
):
    """axe finds nothing on the page or in the frame: launcher, conversation, and the form before it."""
    mock_hub.config["color"] = color
    shop = visit(color_scheme=scheme, reduced_motion="reduce")
    assert shop.axe() == []
    shop.launcher.click()
    shop.say("See https://shop.example/teapots")
    expect(shop.log.locator("time")).to_have_count(1)
    mock_hub.answer("Nice, see https://shop.example/kettles")
    expect(shop.log).to_contain_text("kettles")
    assert shop.axe() == []
    mock_hub.config["pre_chat"] = [{"name": "email", "label": "E-mail", "required": True}]
    shop.page.evaluate("() => hubChat.reset()")
    expect(shop.frame.get_by_label("E-mail")).to_be_visible()
    assert shop.axe() == []


def test_member_text_cannot_become_markup(visit: Callable[..., Shop], mock_hub: MockHub):
    """Text stays text, whatever it looks like, and right-to-left text keeps to its own bubble."""
    shop = visit()
    shop.launcher.click()
    shop.say("Hi")
    expect(shop.log.locator("time")).to_have_count(1)
    mock_hub.answer("<img src=x onerror=alert(1)> javascript:alert(1) \u202eevil")
    mock_hub.answer("שלום, איך אפשר לעזור?")
    expect(shop.log).to_contain_text("<img src=x onerror=alert(1)>")
    expect(shop.log.locator("img, a")).to_have_count(0)
    expect(shop.log.get_by_text(re.compile("שלום"))).to_have_css("direction", "rtl")
    assert shop.violations() == []
