"""A visitor on a website and members in the inbox, each in a browser of their own, over a real hub."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests import pictures
from tests.acceptance.running import RunningHub
from tests.e2e.pages import Chat, Inbox, Person

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(150)]

# A first retry comes within 20 s (docs/protocol.md §7), then the hub must be up again and answer.
BACK_WITHIN_S = 45


@pytest.fixture(scope="module")
def chat_id(hub: RunningHub) -> str:
    """A connected live chat."""
    return hub.connect_chat()


@pytest.fixture
def visit(arrive: Callable[..., Person], chat_id: str) -> Callable[..., Chat]:
    """Bring a new visitor to the website who opens the chat and writes."""

    def open_chat(first_words: str, **options: object) -> Chat:
        chat = Chat(arrive(**options))
        chat.visit(chat_id)
        chat.say(first_words)
        expect(chat.message(first_words).locator("time")).to_be_visible()
        return chat

    return open_chat


def unread_in_title(inbox: Inbox) -> int:
    found = re.match(r"\((\d+)\)", inbox.page.title())
    return int(found.group(1)) if found else 0


def expect_unread(inbox: Inbox, count: int) -> None:
    expect(inbox.page).to_have_title(re.compile(rf"^\({count}\) " if count else r"^[^(]"))


def test_visitor_and_member_talk_and_see_each_other_type(owner: Inbox, visit: Callable[..., Chat]):
    """Unread, typing and read ticks reach the other side without a reload; the visitor's reload keeps the thread."""
    before = unread_in_title(owner)
    chat = visit("Is the ivy poisonous for cats?")
    row = owner.row("Is the ivy poisonous for cats?")
    expect(row).to_contain_text(", unread")
    expect_unread(owner, before + 1)
    expect(owner.page.locator(".rail-dot")).to_be_visible()

    owner.open("Is the ivy poisonous for cats?")
    expect(row).not_to_contain_text(", unread")
    expect_unread(owner, before)
    expect(owner.thread.get_by_title("is viewing")).to_have_count(0)

    chat.field.press_sequentially("And for")
    expect(owner.thread.get_by_text("is typing…")).to_be_visible()
    expect(owner.chosen).to_contain_text("typing…")
    chat.field.press_sequentially(" dogs?")
    chat.field.press("Enter")
    expect(owner.bubble("And for dogs?")).to_be_visible()
    expect(owner.thread.get_by_text("is typing…")).to_have_count(0)

    owner.field.press_sequentially("For both, ")
    expect(chat.typing).to_be_attached()
    owner.field.press_sequentially("sadly.")
    owner.field.press("Control+Enter")
    expect(chat.message("For both, sadly.")).to_be_visible()
    expect(chat.typing).to_have_count(0)
    expect(owner.bubble("For both, sadly.").get_by_title("Read")).to_be_visible()

    chat.page.reload()
    expect(chat.log.locator(".text")).to_have_text(
        ["Hello! How can we help?", "Is the ivy poisonous for cats?", "And for dogs?", "For both, sadly."]
    )
    assert owner.person.axe() == []
    assert chat.person.axe() == []


def test_a_note_stays_in_the_house(owner: Inbox, visit: Callable[..., Chat]):
    """Neither a note nor that one is being written reaches the visitor, live or after a reload."""
    chat = visit("Where is my order?")
    owner.open("Where is my order?")
    owner.thread.get_by_role("tab", name="Note").click()
    owner.note_field.press_sequentially("He calls every day")
    owner.note_field.press("Control+Enter")
    expect(owner.bubble("He calls every day")).to_contain_text("internal note")
    owner.thread.get_by_role("tab", name="Reply").click()
    owner.reply("It left yesterday.")
    # The reply came after the note on the same wire: had the note or its typing been sent, they would be here.
    expect(chat.message("It left yesterday.")).to_be_visible()
    expect(chat.message("He calls every day")).to_have_count(0)
    chat.page.reload()
    expect(chat.message("It left yesterday.")).to_be_visible()
    expect(chat.message("He calls every day")).to_have_count(0)


def test_members_see_each_other_and_hand_over(
    hub: RunningHub, owner: Inbox, arrive: Callable[..., Person], visit: Callable[..., Chat]
):
    """A member joins by a one-time link; both see who is online, looks and writes; what is assigned is theirs."""
    visit("Do you repair pots?")
    person = arrive()
    person.expect_on_console(r"status of (401|422|404|400|403|409) .*/api/v1/(session|password-links)\)")
    link = hub.add_member("mia@northwind.example")
    person.page.goto(link)
    expect(person.page.get_by_role("heading", name="Join your team")).to_be_visible()
    assert person.axe() == []
    person.page.get_by_label("Your name").fill("Mia Falk")
    person.page.get_by_role("textbox", name="Password").fill("a long enough password")
    person.page.get_by_role("button", name="Join").click()
    mia = Inbox(person)
    mia.wait_until_live()
    expect(owner.page.get_by_role("navigation", name="Views")).to_contain_text("Mia Falk")

    owner.open("Do you repair pots?")
    mia.open("Do you repair pots?")
    expect(owner.thread.get_by_title("Mia Falk is viewing")).to_be_visible()
    expect(mia.thread.get_by_title("Ola is viewing")).to_be_visible()
    mia.field.press_sequentially("We")
    expect(owner.thread.get_by_text("Mia Falk is writing a reply…")).to_be_visible()
    mia.field.fill("")
    mia.page.keyboard.press("Escape")
    mia.page.keyboard.press("Escape")
    expect(owner.thread.get_by_title("Mia Falk is viewing")).to_have_count(0)

    owner.choose("Assign", "Mia Falk")
    expect(owner.toasts).to_contain_text("Assigned to Mia Falk.")
    expect(owner.thread.get_by_text("You assigned this to Mia Falk")).to_be_visible()
    mia.page.get_by_role("navigation", name="Views").get_by_role("link", name="Mine").click()
    expect(mia.row("Do you repair pots?")).to_be_visible()
    owner.toasts.get_by_role("button", name="Undo").click()
    expect(mia.row("Do you repair pots?")).to_have_count(0)

    stranger = arrive()
    stranger.expect_on_console(r"status of \d+ .*/api/v1/(session|password-links)\)")
    stranger.page.goto(link)
    stranger.page.get_by_label("Your name").fill("Somebody")
    stranger.page.get_by_role("textbox", name="Password").fill("a long enough password")
    stranger.page.get_by_role("button", name="Join").click()
    expect(stranger.page.get_by_role("alert")).to_have_text(re.compile("link", re.IGNORECASE))


def test_snooze_close_undo_and_reopen(owner: Inbox, visit: Callable[..., Chat]):
    """Each change moves the row to its tab at once, can be undone, and a visitor who writes again reopens."""
    chat = visit("Can I return a lamp?")
    owner.open("Can I return a lamp?")

    owner.choose("Snooze", "Tomorrow")
    expect(owner.toasts).to_contain_text("Snoozed until")
    expect(owner.row("Can I return a lamp?")).to_have_count(0)
    owner.tab("Snoozed").click()
    owner.open("Can I return a lamp?")
    owner.choose("Snooze", "Bring back now")
    expect(owner.row("Can I return a lamp?")).to_have_count(0)
    owner.tab("Open").click()
    owner.open("Can I return a lamp?")

    owner.thread.get_by_role("button", name="Close", exact=True).click()
    expect(owner.row("Can I return a lamp?")).to_have_count(0)
    expect(chat.log).to_contain_text("Closed. Write again any time.")
    owner.toasts.get_by_role("button", name="Undo").last.click()
    expect(owner.row("Can I return a lamp?")).to_be_visible()
    expect(owner.thread.get_by_text("You closed this")).to_be_visible()

    owner.thread.get_by_role("button", name="Close", exact=True).click()
    owner.tab("Closed").click()
    expect(owner.row("Can I return a lamp?")).to_be_visible()
    chat.say("One more thing")
    owner.tab("Open").click()
    expect(owner.row("One more thing")).to_contain_text(", unread")
    owner.open("One more thing")
    expect(owner.bubble("Can I return a lamp?")).to_be_visible()


def test_the_inbox_works_by_keyboard(owner: Inbox, visit: Callable[..., Chat]):
    """J and K walk, R and N write, A, S and E act, ? explains, Escape leaves; in a field letters are letters."""
    for words in ("First question", "Second question"):
        visit(words)
        expect(owner.row(words)).to_be_visible()
    page = owner.page
    chosen = owner.chosen
    owner.press("j")
    expect(chosen).to_contain_text("Second question")
    owner.press("j")
    expect(chosen).to_contain_text("First question")
    owner.press("k")
    expect(chosen).to_contain_text("Second question")

    owner.press("r")
    expect(owner.field).to_be_focused()
    page.keyboard.type("jeans?")
    expect(owner.field).to_have_value("jeans?")
    expect(chosen).to_contain_text("Second question")
    owner.field.fill("")
    page.keyboard.press("Escape")
    owner.press("n")
    expect(owner.note_field).to_be_focused()
    page.keyboard.press("Escape")
    owner.press("a")
    expect(page.get_by_role("menu", name="Assign")).to_be_visible()
    page.keyboard.press("Enter")
    expect(owner.thread.get_by_text("You took this")).to_be_visible()
    owner.press("s")
    expect(page.get_by_role("menu", name="Snooze")).to_be_visible()
    page.keyboard.press("Escape")

    owner.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_contain_text("Next conversation")
    assert owner.person.axe() == []
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)

    owner.press("e")
    expect(owner.row("Second question")).to_have_count(0)
    expect(chosen).to_contain_text("First question")
    owner.press("Escape")
    expect(owner.thread).to_contain_text("Choose a conversation")


def test_a_killed_hub_process_costs_nobody_a_message(hub: RunningHub, owner: Inbox, visit: Callable[..., Chat]):
    """kill -9 of serve while both write: both come back by themselves, and every message is on both sides once."""
    chat = visit("Hello, one question")
    owner.open("Hello, one question")
    for person in (owner.person, chat.person):
        person.expect_on_console(
            r"WebSocket connection to .* failed|ERR_CONNECTION_(REFUSED|RESET)|ERR_EMPTY_RESPONSE|status of 50\d"
        )
    owner.field.press_sequentially("Of cou")
    chat.field.press_sequentially("About the grow")
    killed = hub.pid_of("serve")
    os.kill(killed, signal.SIGKILL)
    owner.field.press_sequentially("rse!")
    owner.field.press("Control+Enter")
    chat.field.press_sequentially(" light")
    chat.field.press("Enter")
    chat.say("It hums")

    for text in ("Hello, one question", "Of course!", "About the grow light", "It hums"):
        expect(owner.bubble(text)).to_have_count(1, timeout=BACK_WITHIN_S * 1000)
        expect(chat.message(text)).to_have_count(1, timeout=BACK_WITHIN_S * 1000)
    expect(owner.bubble("Of course!").get_by_title("Read")).to_be_visible()
    expect(chat.log.get_by_text("Sending…")).to_have_count(0)
    owner.wait_until_live()
    owner.reply("Send it back, we replace it.")
    expect(chat.message("Send it back, we replace it.")).to_have_count(1)
    assert hub.pid_of("serve") != killed


def test_visitor_sends_a_photo_and_keeps_it(owner: Inbox, visit: Callable[..., Chat]):
    """A chosen photo goes up, out with a message of its own, and is shown in the thread, also after a reload."""
    chat = visit("I will send you a photo")
    photo = pictures.photo(300, 200)
    choose = chat.frame.locator("input[type=file]")
    choose.set_input_files({"name": "leaf.jpg", "mimeType": "image/jpeg", "buffer": photo})
    expect(chat.frame.locator(".chosen li")).to_contain_text("leaf.jpg")
    expect(chat.frame.locator(".chosen li")).to_contain_text("kB")
    chat.frame.get_by_role("button", name="Send").click()

    shown = chat.frame.locator(".files img")
    expect(shown).to_have_attribute("alt", "leaf.jpg")
    expect(owner.row("Photo")).to_be_visible()
    assert shown.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 0
    chat.page.reload()
    expect(chat.frame.locator(".files img")).to_be_visible()
    assert chat.person.axe() == []
