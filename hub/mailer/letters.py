"""
Writes the mails the hub itself sends: words of a language, fields put in, text and HTML, and the headers. No IO.

The words are in ``words/<language>.toml``, the frame of the HTML in ``layout.html``, both read once with the module.
"""

from __future__ import annotations

import html
import re
import tomllib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from hub.mailer.model import LINES, SecurityChange, Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.mailer.model import QueuedMail

DEFAULT_LANGUAGE: Final = "en"

_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
# What mail programs make links of by themselves. A name somebody chose must not become one.
_LINK_LIKE: Final = re.compile(r"(?<=\w)\.(?=\w)|(?<=\w):(?=//)|(?<=\S)@(?=\S)")
# Names people choose for themselves or their workspace, read by people who do not know them yet.
_CHOSEN: Final = frozenset({"name", "inviter", "workspace", "device", "reason", "about"})
_CHOSEN_LIMIT_CHARS: Final = 80
_PARAGRAPH: Final = '<p style="margin:0 0 16px;color:#1b1f24">%s</p>'
_BUTTON: Final = (
    '<p style="margin:24px 0"><a class="button" href="%s" style="display:inline-block;padding:12px 20px;'
    'border-radius:8px;background:#3657d6;color:#ffffff;text-decoration:none;font-weight:600">%s</a></p>'
)
_LIST: Final = '<ul style="margin:0 0 16px;padding-left:20px">%s</ul>'
_QUIET: Final = '<p class="quiet" style="margin:0;font-size:13px;color:#6b7280">%s</p>'


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    One template in one language; ``{name}`` stands for a field.

    Attributes:
        body: Paragraphs above the button; one that is only ``{lines}`` becomes a list.
        button: What the link is called; empty where the template has no ``url``.
        closing: Paragraphs below the button.
    """

    subject: str
    heading: str
    body: tuple[str, ...]
    button: str = ""
    closing: tuple[str, ...] = ()


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    All words of a language.

    Attributes:
        footer: Why this came, below every mail that is no digest.
        digest_footer: The same below a digest, with the way out.
        link_hint: Before the address written out, for programs that show no buttons.
        unsubscribe, settings: What the links at the end of a digest are called.
        changes: A sentence for each change of an account's security.
    """

    footer: str
    digest_footer: str
    link_hint: str
    unsubscribe: str
    settings: str
    templates: dict[Template, Words]
    changes: dict[SecurityChange, str]


def _read_language(path: Path) -> Language:
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Language)


LANGUAGES: Final[Mapping[str, Language]] = {
    path.stem: _read_language(path) for path in sorted((Path(__file__).parent / "words").glob("*.toml"))
}
_LAYOUT: Final = Path(__file__).with_name("layout.html").read_text("utf-8")


class Letter(msgspec.Struct, frozen=True):
    """A mail written out."""

    language: str
    subject: str
    text: str
    html: str


def language_of(locale: str) -> str:
    """Return the language a locale gets: its own, or English."""
    language = re.split(r"[-_]", locale.lower(), maxsplit=1)[0]
    return language if language in LANGUAGES else DEFAULT_LANGUAGE


def write(template: Template, locale: str, fields: Mapping[str, str]) -> Letter:
    """
    Write a mail out.

    Args:
        template: Which.
        locale: Such as ``de-AT``.
        fields: What the template names, already checked.
    """
    language = language_of(locale)
    words = LANGUAGES[language].templates[template]
    plain = {name: _tame(value) if name in _CHOSEN else value for name, value in fields.items()}
    if template is Template.SECURITY_CHANGED:
        plain["what"] = _fill(_sentence(language, plain["what"]), plain)
    subject = " ".join(_fill(words.subject, plain).split())
    return Letter(
        language=language,
        subject=subject,
        text=_text(words, LANGUAGES[language], plain),
        html=_html(words, language, subject, plain),
    )


def compose(mail: QueuedMail, fields: Mapping[str, str], sender: str) -> EmailMessage:
    """
    Make the message that is sent, the same bytes' worth at every try but for the MIME boundary.

    Args:
        mail: Its id becomes the Message-ID, its time the Date.
        fields: Opened.
        sender: ``HUB_MAIL_FROM``.

    Source:
        RFC 3834 section 5 (Auto-Submitted, August 2004), RFC 8058 (one-click unsubscribe, January 2017).
    """
    letter = write(Template(mail.template), mail.locale, fields)
    name, address = parseaddr(sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(name, addr_spec=address)
    message["To"] = Address(addr_spec=mail.recipient)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id.hex}.hub@{address.rpartition('@')[2].lower()}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    unsubscribe = fields.get("unsubscribe_url", "")
    if unsubscribe.startswith("https://"):
        message["List-Unsubscribe"] = f"<{unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    # Last: what is named Content-… before moves into the first part.
    message["Content-Language"] = letter.language
    return message


def _sentence(language: str, what: str) -> str:
    """Mails that were queued before sentences had names carry the sentence itself."""
    known = {one.value for one in SecurityChange}
    return LANGUAGES[language].changes[SecurityChange(what)] if what in known else what


def _fill(words: str, fields: Mapping[str, str]) -> str:
    """Put fields in, once: what a field holds is never looked at again."""
    return _PLACE.sub(lambda found: fields[found.group(1)], words)


def _tame(value: str) -> str:
    """Shorten what somebody chose as a name, and keep mail programs from making a link of it."""
    short = value if len(value) <= _CHOSEN_LIMIT_CHARS else value[: _CHOSEN_LIMIT_CHARS - 1].rstrip() + "…"
    # U+2060 joins words and is not seen; a link does not go on across it.
    return _LINK_LIKE.sub(lambda found: f"\u2060{found.group()}\u2060", short)


def _text(words: Words, language: Language, fields: Mapping[str, str]) -> str:
    parts = [_fill(words.heading, fields)]
    parts += [_bullets(fields[LINES]) if one == "{lines}" else _fill(one, fields) for one in words.body]
    if words.button:
        parts.append(f"{words.button}:\n{fields['url']}")
    parts += [_fill(one, fields) for one in words.closing]
    if "unsubscribe_url" in fields:
        ways = f"{language.settings}: {fields['settings_url']}\n{language.unsubscribe}: {fields['unsubscribe_url']}"
        parts.append(f"-- \n{_fill(language.digest_footer, fields)}\n{ways}")
    else:
        parts.append(f"-- \n{language.footer}")
    return "\n\n".join(parts) + "\n"


def _bullets(lines: str) -> str:
    return "\n".join(f"- {one}" for one in lines.split("\n") if one)


def _html(words: Words, language: str, subject: str, fields: Mapping[str, str]) -> str:
    safe = {name: html.escape(value) for name, value in fields.items()}
    said = LANGUAGES[language]
    body = [_items(safe[LINES]) if one == "{lines}" else _PARAGRAPH % _fill(_esc(one), safe) for one in words.body]
    if words.button:
        body.append(_BUTTON % (safe["url"], _esc(words.button)))
    body += [_PARAGRAPH % _fill(_esc(one), safe) for one in words.closing]
    if words.button:
        body.append(_QUIET % f"{_esc(said.link_hint)}<br>{safe['url']}")
    if "unsubscribe_url" in fields:
        links = (("settings_url", said.settings), ("unsubscribe_url", said.unsubscribe))
        ways = " · ".join(f'<a href="{safe[name]}" style="color:#6b7280">{_esc(label)}</a>' for name, label in links)
        footer = f"{_fill(_esc(said.digest_footer), safe)}<br>{ways}"
    else:
        footer = _esc(said.footer)
    parts = {
        "language": language,
        "subject": html.escape(subject),
        "heading": _fill(_esc(words.heading), safe),
        "body": "\n".join(body),
        "footer": footer,
    }
    return re.sub(r"\[\[([a-z]+)\]\]", lambda found: parts[found.group(1)], _LAYOUT)


def _items(safe_lines: str) -> str:
    items = (f'<li style="margin:0 0 8px;color:#1b1f24">{one}</li>' for one in safe_lines.split("\n") if one)
    return _LIST % "".join(items)


def _esc(words: str) -> str:
    return html.escape(words, quote=False)
