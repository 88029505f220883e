"""
An outgoing message to the bytes of a mail. Pure; the same message and settings always give the same bytes.

Mail connectors call it from ``send``. Only fields a relay leaves alone are written, so that DKIM can sign all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from email.utils import format_datetime
from html import escape

from connectors.mime.model import ComposedMail, MailFile, MailSettings
from connectors.mime.names import clean_filename
from connectors.mime.tokens import TokenKey, sign_marker, sign_message_id, sign_plus_address
from connectors.mime.writer import (
    base64_lines,
    check_address,
    check_mime,
    header,
    mailbox,
    message_ids,
    parameter,
    phrase,
    refuse,
    text_part,
)
from hub.envelope import Identity, OutboundMessage, clean_text

# RFC 5322 sets no limit; some servers refuse fields beyond a few KiB. The first id keeps the thread's root.
_REFERENCES_LIMIT = 20
_RECIPIENT_LIMIT = 100  # RFC 5321, section 4.5.3.1.8: servers take at least so many
_SUBJECT_LIMIT_CHARS = 500
_URL = re.compile(r"\b(?:https?://|mailto:)[^\s<>\"']{1,2000}[^\s<>\"'.,;:!?)\]]")


def compose_mail(message: OutboundMessage, files: Sequence[MailFile], settings: MailSettings) -> ComposedMail:
    """
    Write one mail.

    Args:
        message: To be sent; ``references`` oldest first, ``quoted`` the text it answers.
        files: Its files with their bytes, in order.
        settings: Of the mailbox.

    Returns:
        The mail, its Message-ID and whom to hand it to. Bcc is only in ``recipients``.

    Raises:
        ConnectorError: An address, the subject or the ids cannot stand in a mail (CONTENT).
        InvalidInput: The message or conversation id is not a UUID.
    """
    key = TokenKey(settings.signing_key, settings.workspace_id, settings.account_id)
    sender = check_address(settings.address)
    own_id = sign_message_id(key, message.conversation_id, message.message_id, sender.rpartition("@")[2].lower())
    marker = sign_marker(key, message.conversation_id) if settings.body_marker else ""
    content = _headers(message, settings, own_id, key) + _content(message, files, marker, own_id)
    everybody = (message.to, *message.also_to, *message.cc, *message.bcc)
    recipients = tuple(dict.fromkeys(check_address(one.value) for one in everybody))
    if len(recipients) > _RECIPIENT_LIMIT:
        raise refuse(f"A mail goes to at most {_RECIPIENT_LIMIT} people.", "recipients")
    return ComposedMail(message_id=own_id, sender=sender, recipients=recipients, content=content)


def compose_html(message: OutboundMessage, inline: Sequence[MailFile], marker: str) -> str:
    """
    Write only the formatted text of a mail, for vendors that are given its parts and write the mail themselves.

    Args:
        message: As for ``compose_mail``.
        inline: Pictures shown in the text, by ``inline_cid``; their bytes are not looked at.
        marker: What stands small at the end, of ``sign_marker``; may be empty.
    """
    return _html(message, inline, marker)


def reply_subject(subject: str) -> str:
    """Return a subject with one Re: before it, as it is where it has one."""
    subject = " ".join(subject.split())
    return subject if re.match(r"re\s?(?:\[\d+\])?:", subject, re.IGNORECASE) else f"Re: {subject}".strip()


def _headers(message: OutboundMessage, settings: MailSettings, own_id: str, key: TokenKey) -> bytes:
    fields = [
        header("Date", format_datetime(settings.date)),
        header("From", mailbox(settings.name, settings.address)),
        header("To", _mailboxes((message.to, *message.also_to))),
    ]
    if message.cc:
        fields.append(header("Cc", _mailboxes(message.cc)))
    if settings.plus_addressing and (answers := sign_plus_address(key, message.conversation_id, settings.address)):
        fields.append(header("Reply-To", mailbox(settings.name, answers)))
    fields.append(header("Subject", phrase(clean_text(message.subject)[:_SUBJECT_LIMIT_CHARS])))
    fields.append(header("Message-ID", f"<{own_id}>"))
    # Amazon SES and Exchange write their own Message-ID; bounces still bring this one back.
    fields.append(header("X-Message-Token", f"<{own_id}>"))
    if message.reply_to_external_id and (answered := message_ids((message.reply_to_external_id,))):
        fields.append(header("In-Reply-To", answered))
    if references := _references(message):
        fields.append(header("References", references))
    if not message.author_is_human:
        # RFC 3834, section 5: an answer to a mail, or written without one.
        fields.append(header("Auto-Submitted", "auto-replied" if message.reply_to_external_id else "auto-generated"))
    fields.append(header("MIME-Version", "1.0"))
    return "".join(fields).encode("ascii")


def _references(message: OutboundMessage) -> str:
    """RFC 5322, section 3.6.4: the parent's References, then the parent's own id."""
    ids = [one.strip().strip("<>") for one in message.references]
    if message.reply_to_external_id:
        parent = message.reply_to_external_id.strip().strip("<>")
        ids = [one for one in ids if one != parent] + [parent]
    ids = list(dict.fromkeys(ids))
    if len(ids) > _REFERENCES_LIMIT:
        ids = ids[:1] + ids[1 - _REFERENCES_LIMIT :]
    return message_ids(tuple(ids))


def _mailboxes(people: Sequence[Identity]) -> str:
    return ", ".join(mailbox(one.display_name, one.value) for one in people)


def _content(message: OutboundMessage, files: Sequence[MailFile], marker: str, own_id: str) -> bytes:
    inline = [one for one in files if one.inline_cid and one.mime.startswith("image/")]
    attached = [one for one in files if one not in inline]
    html = text_part("html", _html(message, inline, marker))
    if inline:
        html = _multipart("related", [html, *map(_file_part, inline)], own_id)
    body = _multipart("alternative", [text_part("plain", _plain(message, marker)), html], own_id)
    return _multipart("mixed", [body, *map(_file_part, attached)], own_id) if attached else body


def _multipart(kind: str, parts: list[bytes], own_id: str) -> bytes:
    """The boundary comes from the id, so a retry is the same mail; ``=_`` never stands in an encoded body."""
    digest = hashlib.sha256(f"{kind}:{own_id}".encode()).hexdigest()[:32]
    boundary = f"=_{kind[0]}{digest}"
    head = header("Content-Type", f'multipart/{kind}; boundary="{boundary}"').encode()
    joined = b"".join(b"--" + boundary.encode() + b"\r\n" + part.rstrip(b"\r\n") + b"\r\n" for part in parts)
    return head + b"\r\n" + joined + b"--" + boundary.encode() + b"--\r\n"


def _file_part(file: MailFile) -> bytes:
    name = clean_filename(clean_text(file.filename)) or "file"
    fields = [
        header("Content-Type", check_mime(file.mime) + parameter("name", name)),
        header("Content-Disposition", ("inline" if file.inline_cid else "attachment") + parameter("filename", name)),
        header("Content-Transfer-Encoding", "base64"),
    ]
    if file.inline_cid and (cid := message_ids((file.inline_cid,))):
        fields.append(header("Content-ID", cid))
    return "".join(fields).encode("ascii") + b"\r\n" + base64_lines(file.content)


def _plain(message: OutboundMessage, marker: str) -> str:
    parts = [clean_text(message.text).rstrip()]
    if marker:
        parts.append(marker)
    attribution, quoted = _attribution(message.quoted)
    if quoted:
        marked = [f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in quoted.split("\n")]
        parts.append("\n".join([attribution, *marked] if attribution else marked))
    return "\n\n".join(part for part in parts if part) + "\n"


def _attribution(quoted: str) -> tuple[str, str]:
    """Take "On … wrote:" off the quoted text, where its first line is that: it stands before the quote."""
    text = clean_text(quoted).strip("\n")
    first, _, rest = text.partition("\n")
    return (first, rest.strip("\n")) if first.rstrip().endswith((":", "：")) and rest.strip() else ("", text)


def _html(message: OutboundMessage, inline: Sequence[MailFile], marker: str) -> str:
    pictures = "".join(map(_picture, inline))
    mark = f'<p style="color:#8a8a8e;font-size:11px">{escape(marker)}</p>' if marker else ""
    quoted = ""
    attribution, answered = _attribution(message.quoted)
    if answered:
        quoted = (
            (f"<p>{_linked(attribution)}</p>" if attribution else "")
            + '<blockquote type="cite" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">'
            f"{_paragraphs(answered)}</blockquote>"
        )
    return f"<html><body>{_paragraphs(message.text)}{pictures}{mark}{quoted}</body></html>"


def _picture(file: MailFile) -> str:
    source = escape((file.inline_cid or "").strip("<>"))
    return f'<p><img src="cid:{source}" alt="{escape(file.filename)}" style="max-width:100%"></p>'


def _paragraphs(text: str) -> str:
    blocks = [block for block in re.split(r"\n{2,}", clean_text(text).strip("\n")) if block.strip()]
    return "".join("<p>" + "<br>\n".join(_linked(line) for line in block.split("\n")) + "</p>\n" for block in blocks)


def _linked(line: str) -> str:
    """Escape a line and make its addresses links."""
    out, at = [], 0
    for found in _URL.finditer(line):
        url = escape(found[0])
        out += [_spaced(line[at : found.start()]), f'<a href="{url}">{url}</a>']
        at = found.end()
    return "".join([*out, _spaced(line[at:])])


def _spaced(text: str) -> str:
    return escape(text, quote=False).replace("  ", " &nbsp;")
