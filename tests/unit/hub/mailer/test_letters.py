"""Mails as they are written out: every template in every language, and nothing a field could break."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID

import pytest

from hub.errors import InvalidInput
from hub.mailer import letters
from hub.mailer.model import FIELDS, Mail, QueuedMail, SecurityChange, Template, check

GOLDEN = Path(__file__).parents[3] / "golden" / "mails"
SAMPLE = {
    "reason": "Looking into ticket 4711",
    "until": "2026-11-22 13:00 UTC",
    "name": "Ann O'Neil",
    "inviter": "Bob & Söhne",
    "workspace": "Northwind",
    "url": "https://hub.example/join#t0ken?a=1&b=2",
    "minutes": "30",
    "days": "7",
    "at": "2026-11-22 12:00 UTC",
    "address": "203.0.113.7",
    "device": "Firefox on Linux",
    "what": "passkey_added",
    "about": "Ann's phone",
    "lines": "Mia Lang wrote 3 messages\nA conversation was assigned to you",
    "unsubscribe_url": "https://hub.example/api/v1/digests/unsubscribe?token=abc",
    "settings_url": "https://hub.example/settings/notifications",
}
LOCALES = sorted(letters.LANGUAGES)


def fields_of(template: Template, **changes: str) -> dict[str, str]:
    return {name: (SAMPLE | changes)[name] for name in FIELDS[template]}


def queued(template: Template, locale: str = "en") -> QueuedMail:
    at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    return QueuedMail(
        id=UUID(int=7),
        recipient="ann@example.com",
        template=template.value,
        locale=locale,
        sealed=b"",
        key_version=1,
        created_at=at,
        expires_at=at,
        attempt=1,
    )


class Seen(HTMLParser):
    """Collects tags, links and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_data(self, data):
        self.text += data


def test_the_four_languages_are_there():
    """English, German, French and Spanish."""
    assert LOCALES == ["de", "en", "es", "fr"]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", Template)
def test_mail_is_as_kept(template, locale):
    """Every template of every language reads as the golden file says; HUB_WRITE_GOLDEN=1 writes them anew."""
    letter = letters.write(template, locale, fields_of(template))
    text = f"Subject: {letter.subject}\n\n{letter.text}\n======== HTML ========\n{letter.html}"
    path = GOLDEN / f"{template.value}.{locale}.txt"
    if os.environ.get("HUB_WRITE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text


def test_no_golden_mail_is_left_over():
    """A file for each template and language, and no other."""
    wanted = {f"{template.value}.{locale}.txt" for template in Template for locale in LOCALES}
    assert {path.name for path in GOLDEN.iterdir()} == wanted


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", Template)
def test_every_language_uses_the_same_fields(template, locale):
    """A translation forgets no field and knows no other; a template has a button where English has one."""
    words, english = letters.LANGUAGES[locale].templates[template], letters.LANGUAGES["en"].templates[template]

    def places(one: letters.Words) -> set[str]:
        said = " ".join((one.subject, one.heading, *one.body, one.button, *one.closing))
        return set(letters._PLACE.findall(said))

    assert places(words) == places(english)
    # ``about`` stands in the sentence that ``what`` names.
    assert places(words) | {"url", "unsubscribe_url", "settings_url", "about"} >= FIELDS[template] >= places(words)
    assert bool(words.button) is bool(english.button) is ("url" in FIELDS[template])


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("change", SecurityChange)
def test_every_language_says_what_changed(change, locale):
    """A sentence of its own for each change, with what it names where English has it."""
    sentence, english = letters.LANGUAGES[locale].changes[change], letters.LANGUAGES["en"].changes[change]
    assert letters._PLACE.findall(sentence) == letters._PLACE.findall(english)
    assert (sentence == english) is (locale == "en")
    fields = fields_of(Template.SECURITY_CHANGED, what=change.value, about="4711")
    assert sentence.replace("{about}", "4711") in letters.write(Template.SECURITY_CHANGED, locale, fields).text


def test_a_mail_queued_before_sentences_had_names_keeps_its_own():
    """What was queued by the version before still goes out as it was meant."""
    fields = fields_of(Template.SECURITY_CHANGED, what="An authenticator app was added.", about="")
    assert "An authenticator app was added." in letters.write(Template.SECURITY_CHANGED, "de", fields).text


@pytest.mark.parametrize("template", Template)
def test_fields_are_escaped(template):
    """Markup in a field is text in the mail: the page has the tags it has without it, and no other link."""
    evil = '"><img src=https://evil.example/x onerror=alert(1)><b>'
    plain = {"url", "unsubscribe_url", "settings_url", "lines"}
    changes = dict.fromkeys(FIELDS[template] - plain, evil)
    if "lines" in FIELDS[template]:
        changes["lines"] = f"{evil}\nsecond"
    calm, attacked = Seen(), Seen()
    calm.feed(letters.write(template, "en", fields_of(template)).html)
    attacked.feed(letters.write(template, "en", fields_of(template, **changes)).html)
    assert attacked.tags == calm.tags
    assert attacked.links == calm.links
    assert all(link.startswith("https://hub.example/") for link in attacked.links)


@pytest.mark.parametrize("template", Template)
def test_nothing_is_loaded_from_elsewhere(template):
    """No picture, no style sheet, no font: opening the mail tells nobody."""
    letter = letters.write(template, "en", fields_of(template))
    seen = Seen()
    seen.feed(letter.html)
    assert not {"img", "link", "script", "iframe"} & set(seen.tags)
    assert "url(" not in letter.html
    assert "prefers-color-scheme: dark" in letter.html


def test_a_place_in_a_field_stays_as_it_is():
    """What a field holds is not looked at again: nobody reads another field by naming theirs after it."""
    letter = letters.write(
        Template.INVITATION, "en", fields_of(Template.INVITATION, inviter="{url}", workspace="[[footer]]")
    )
    assert letter.subject == "{url} invites you to [[footer]]"
    assert "[[footer]]" in letter.html


def test_a_chosen_name_is_no_link():
    """A workspace named after a page of a stranger is not made clickable by mail programs, and is shortened."""
    fields = fields_of(Template.INVITATION, workspace="https://evil.example/win", inviter="x" * 500)
    letter = letters.write(Template.INVITATION, "en", fields)
    assert "evil.example" not in letter.text + letter.html + letter.subject
    assert "://evil" not in letter.text
    assert "x" * 81 not in letter.text


def test_an_unknown_language_gets_english():
    """And a region gets its language."""
    assert [letters.language_of(one) for one in ("de-AT", "DE_ch", "sv", "", "../en")] == ["de", "de", "en", "en", "en"]


def test_headers_say_that_a_program_wrote():
    """Auto-Submitted and a fixed Message-ID, Date and parts; no way to unsubscribe from what is no digest."""
    composed = letters.compose(
        queued(Template.RESET_PASSWORD, "fr"), fields_of(Template.RESET_PASSWORD), "Hub <h@hub.example>"
    )
    mail = message_from_bytes(composed.as_bytes(), policy=default)
    assert mail["auto-submitted"] == "auto-generated"
    assert mail["message-id"] == "<00000000000000000000000000000007.hub@hub.example>"
    assert mail["date"].datetime == datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert mail["from"] == "Hub <h@hub.example>"
    assert mail["content-language"] == "fr"
    assert "list-unsubscribe" not in mail
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert all(len(line) <= 998 for line in composed.as_bytes().split(b"\r\n"))


def test_digest_can_be_ended_with_one_click():
    """RFC 8058: the address over https, and the header that says POST it; over http only the link in the text."""
    fields = fields_of(Template.DIGEST)
    mail = letters.compose(queued(Template.DIGEST), fields, "h@hub.example")
    assert mail["list-unsubscribe"] == f"<{SAMPLE['unsubscribe_url']}>"
    assert mail["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    local = fields | {"unsubscribe_url": "http://localhost:8000/u"}
    assert "list-unsubscribe" not in letters.compose(queued(Template.DIGEST), local, "h@hub.example")


@pytest.mark.parametrize(
    "bad", ["a\r\nBcc: x@evil.example", "a\nb", "a\rb", "a\x00b", "a\u2028b", "\x1b[0m", "x" * 2001]
)
@pytest.mark.parametrize("name", sorted(set().union(*FIELDS.values()) - {"lines"}))
def test_line_ends_in_fields_are_refused(name, bad):
    """Nothing that would end a header or a line gets into any field; the error names it."""
    template = next(one for one in Template if name in FIELDS[one])
    with pytest.raises(InvalidInput) as refused:
        check(Mail(to="ann@example.com", template=template, fields=fields_of(template, **{name: bad})))
    assert refused.value.field == name


@pytest.mark.parametrize(
    "to", ["", "ann", "ann@", "a b@example.com", "ann@example.com\r\nBcc: x@y.z", "a@b,c@d", "<a@b>", "a@b@c"]
)
def test_only_one_clean_address_is_written_to(to):
    """No second recipient, no name, no line end."""
    with pytest.raises(InvalidInput):
        check(Mail(to=to, template=Template.PASSWORD_CHANGED, fields=fields_of(Template.PASSWORD_CHANGED)))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//x", "https://a b", 'https://a"b', "ftp://x", ""])
def test_links_are_addresses_of_pages(url):
    """A button leads to http or https."""
    with pytest.raises(InvalidInput):
        check(Mail(to="a@b.c", template=Template.VERIFY_EMAIL, fields={"name": "A", "url": url}))


def test_missing_and_foreign_fields_are_refused():
    """A mail has what its template names."""
    for fields in ({"name": "A"}, {"name": "A", "url": "https://x", "more": "y"}):
        with pytest.raises(InvalidInput):
            check(Mail(to="a@b.c", template=Template.VERIFY_EMAIL, fields=fields))
    check(Mail(to="a@b.c", template=Template.DIGEST, fields=fields_of(Template.DIGEST)))
