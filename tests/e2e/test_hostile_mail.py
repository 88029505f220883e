"""
Every hostile mail of the corpus, read in the inbox as a member reads it: nothing runs, nothing is asked of other hosts,
nothing leaves its frame.

The mails take the whole way: a mail server, the connector, the parser, the store, the app in Chromium.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Dialog, Page, expect

from tests.acceptance.running import RunningHub
from tests.corpus import HostileHtml, hostile_html
from tests.e2e.pages import Inbox
from tests.mail_services import DOVECOT, PASSWORD, Dovecot, SmtpSink, mail_settings
from tests.pictures import encode

pytestmark = [
    pytest.mark.browser,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(DOVECOT is None, reason="NOT RUN: dovecot is not installed"),
]

ADDRESS = "support@shop.example"
PNG = encode(Image.new("RGB", (40, 30), "navy"), "PNG")
# One conversation holds so many, fewer than the app shows at first.
GROUP = 40
CASES = hostile_html()
GROUPS = [CASES[start : start + GROUP] for start in range(0, len(CASES), GROUP)]

# What a mail must not have brought into its frame, and where its frame must not reach.
INSPECT = """() => {
  const found = [];
  for (const frame of document.querySelectorAll("iframe.mail-frame")) {
    const name = frame.closest("article").innerText.match(/case-[a-z0-9-]+/)?.[0] ?? "?";
    const inside = frame.contentDocument;
    const bad = inside.querySelectorAll("script,iframe,frame,object,embed,form,base,link,svg,math,video,audio,dialog,meta[http-equiv=refresh]");
    if (bad.length > 0) found.push(`${name}: <${bad[0].tagName}>`);
    for (const element of inside.querySelectorAll("*"))
      for (const {name: attribute, value} of element.attributes)
        if (/^on|^srcdoc$|^formaction$/i.test(attribute) || /^\\s*(javascript|vbscript):/i.test(value)) found.push(`${name}: ${attribute}`);
    const box = frame.getBoundingClientRect(), bubble = frame.closest("article").getBoundingClientRect();
    if (box.left < bubble.left - 1 || box.right > bubble.right + 1 || box.top < bubble.top - 1 || box.bottom > bubble.bottom + 1 || box.height > 1601)
      found.push(`${name}: outside its bubble`);
  }
  const nav = document.querySelector("nav.rail a"), at = nav.getBoundingClientRect();
  if (!nav.contains(document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2))) found.push("something covers the app");
  return found;
}"""


FRAMES = "[...document.querySelectorAll('iframe.mail-frame')]"
ALL_LOADED = f"() => {FRAMES}.every((one) => [...one.contentDocument.images].every((image) => image.complete))"
SOURCES = f"() => {FRAMES}.flatMap((one) => [...one.contentDocument.querySelectorAll('img[src]')].map((image) => image.getAttribute('src')))"


@pytest.fixture(scope="module")
def fresh_hub(app_build: Path) -> Iterator[RunningHub]:
    """A hub with a mail server that holds the hostile mails."""
    dovecot, sink = Dovecot(), SmtpSink()
    started = RunningHub(HUB_ALLOW_PRIVATE_HOSTS="1")
    started.set_up()
    for number, group in enumerate(GROUPS):
        for case in group:
            dovecot.append(ADDRESS, make_hostile(case, number, group[0].name))
    dovecot.append(ADDRESS, make_postcard())
    body = {
        "channel": "imap_smtp",
        "name": "Support mail",
        "credentials": {"password": PASSWORD},
        "settings": mail_settings(dovecot, sink, ADDRESS),
    }
    with started.api() as api:
        assert api.post("channel-accounts", json=body).status_code == 201
    yield started
    started.stop()
    sink.stop()
    dovecot.close()


@pytest.fixture(scope="module")
def hub(fresh_hub: RunningHub) -> RunningHub:
    """It is set up already."""
    return fresh_hub


def make_hostile(case: HostileHtml, number: int, first: str) -> bytes:
    """Put a piece of HTML into a mail that answers the first of its group."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Mallory {number} <m{number}@evil.example>", ADDRESS, f"Group {number}"
    mail["Message-ID"], mail["Date"] = f"<{case.name}@evil.example>", "Sun, 22 Nov 2026 12:00:00 +0000"
    if case.name != first:
        mail["In-Reply-To"] = mail["References"] = f"<{first}@evil.example>"
    mail.set_content(f"case-{case.name}")
    # Surrogates and NULs of the corpus travel as the bytes a mail program would send.
    mail.add_alternative(f"<p>case-{case.name}</p>{case.html}".encode("utf-8", "replace"), "text", "html", cte="base64")
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def make_postcard() -> bytes:
    """Write a harmless mail with a picture inside its text."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ida Berg <ida@customer.example>", ADDRESS, "A postcard"
    mail["Message-ID"], mail["Date"] = "<postcard@customer.example>", "Sun, 22 Nov 2026 12:00:00 +0000"
    mail.set_content("Greetings!")
    mail.add_alternative('<p>Greetings!</p><img src="cid:sea@card" alt="The sea">', "html")
    mail.get_payload()[1].add_related(PNG, "image", "png", cid="<sea@card>", filename="sea.png")
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.mark.parametrize("number", range(len(GROUPS)))
def test_hostile_mail_stays_in_its_frame(owner: Inbox, hub: RunningHub, number: int):
    """No dialog, no window, no request elsewhere, no element of a mail outside its frame."""
    page, group = owner.page, GROUPS[number]
    opened: list[str] = []
    page.on("dialog", lambda dialog: note_dialog(dialog, opened))
    owner.person.context.on("page", lambda new: opened.append(f"window {new.url}"))

    page.get_by_role("link", name=f"Mallory {number}").first.click()
    articles = owner.thread.get_by_role("article")
    expect(articles).to_have_count(len(group), timeout=60_000)
    wait_for_frames(page)
    address, title = page.url, page.title()

    assert page.locator("iframe.mail-frame").count() > len(group) / 2
    assert page.evaluate(INSPECT) == []
    for frame in page.frames[1:]:
        # A member who clicks about in a mail gets a link at most.
        frame.evaluate("() => document.body.click()")
    page.mouse.wheel(0, -20_000)
    page.wait_for_timeout(300)
    assert page.evaluate(INSPECT) == []
    assert opened == []
    assert (page.url, page.title().endswith(title.split(") ")[-1])) == (address, True)
    assert owner.person.overflow_px() == 0


def test_pictures_from_elsewhere_come_through_us_only_when_asked_for(owner: Inbox):
    """Once, or always from a sender: every picture is asked of our own origin, and no pixel that only counts readers."""
    page, asked = owner.page, list[str]()
    page.on("request", lambda request: asked.append(request.url))
    # The corpus' servers do not exist: each picture is an empty one with a status that says so.
    owner.person.expect_on_console(r"status of (403|404|415|502|504) .*/api/v1/images/")
    page.get_by_role("link", name=f"Mallory {group_of('track-img-http')}").first.click()
    notices = owner.thread.get_by_text("tells the sender that this was opened")
    expect(notices.first).to_be_visible(timeout=60_000)
    wait_for_frames(page)
    before = notices.count()
    assert not [url for url in asked if "/api/v1/images/" in url]

    owner.thread.get_by_role("button", name="Show picture").first.click()
    expect(notices).to_have_count(before - 1)
    wait_for_frames(page)
    page.wait_for_function(ALL_LOADED)
    once = {url for url in asked if "/api/v1/images/" in url}
    owner.thread.get_by_role("button", name="Always from this sender").first.click()
    expect(notices).to_have_count(0)
    wait_for_frames(page)
    page.wait_for_function(ALL_LOADED)
    expect(owner.thread.get_by_text("Pictures of this sender are always shown.").first).to_be_visible()
    shown = page.evaluate(SOURCES)

    assert once
    assert len({url for url in asked if "/api/v1/images/" in url}) > len(once)
    # That nobody else was asked is watched by the person's own complaints.
    assert [one for one in shown if not one.startswith(("/api/v1/images/", "data:image/"))] == []
    owner.thread.get_by_role("button", name="Ask again").first.click()
    # What somebody asked to see just now stays.
    expect(notices).to_have_count(before - 1)


def test_a_picture_inside_a_mail_is_shown(owner: Inbox):
    """It comes from our own store, without anybody asking for it, and is not listed below the text as well."""
    owner.page.get_by_role("link", name="Ida Berg").first.click()
    picture = owner.page.frame_locator("iframe.mail-frame").get_by_alt_text("The sea")
    expect(picture).to_be_visible(timeout=60_000)

    owner.page.wait_for_function(
        "() => document.querySelector('iframe.mail-frame').contentDocument.images[0].naturalWidth === 40"
    )
    expect(owner.thread.get_by_text("sea.png")).to_have_count(0)


def group_of(name: str) -> int:
    """Return the conversation a case stands in."""
    return next(number for number, group in enumerate(GROUPS) if any(case.name == name for case in group))


def note_dialog(dialog: Dialog, opened: list[str]) -> None:
    """Remember a dialog and close it, or the page would stand still."""
    opened.append(f"{dialog.type} {dialog.message}")
    dialog.dismiss()


def wait_for_frames(page: Page) -> None:
    """Wait until every mail on screen is drawn."""
    expect(page.locator("iframe.mail-loading")).to_have_count(0, timeout=60_000)
