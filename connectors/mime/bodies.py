"""
What the parts of a mail say together: readable text, HTML, files, and lines about what cannot be read. Pure.

Of alternatives the plain one gives the text and the HTML one the HTML; mixed parts follow one another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html import escape

import msgspec

from connectors.mime.charsets import decode_text
from connectors.mime.flowed import unflow
from connectors.mime.headers import one_line, read_headers
from connectors.mime.html_text import html_to_text
from connectors.mime.invitations import describe_invitation
from connectors.mime.model import HTML_LIMIT_BYTES, TEXT_LIMIT_CHARS, Body
from connectors.mime.names import clean_filename, extension_of
from connectors.mime.smime import signed_content
from connectors.mime.structure import MIME, Part, decode_part, decoded_size, read_structure, with_line_feeds
from connectors.mime.tnef import read_tnef
from hub.envelope import AttachmentRef, clean_text

_ATTACHMENT_LIMIT = 200
_TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_SIGNATURES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"})
_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1d\x7f]")
_PGP_BLOCK = re.compile(r"^-----BEGIN PGP MESSAGE-----", re.MULTILINE)

ENCRYPTED = "[This message is encrypted. It cannot be read here.]"
ENVELOPED_SIGNED = "[This message is wrapped in its signature (S/MIME) and cannot be read here. It is attached.]"
CUT_TEXT = "[The text is longer than can be shown. All of it is attached.]"
CUT_PARTS = "[This message has more parts than can be shown.]"


@dataclass(slots=True)
class _Content:
    """What one part says; html stays None until some part has it."""

    text: str = ""
    html: str | None = None
    has_plain: bool = False
    attachments: list[AttachmentRef] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_body(raw: bytes, root: Part) -> Body:
    """
    Read what a mail shows.

    Args:
        raw: The mail.
        root: Its structure.

    Returns:
        Text (from the HTML where there is no plain text), HTML, files and notes. Quote marks of ``html_to_text`` may
        be in the text.
    """
    content = _read(raw, root, is_root=True)
    if root.is_cut or any(part.is_cut for part in root.walk()):
        content.notes.append(CUT_PARTS)
    text = content.text if content.text.strip() else _text_of(content.html)
    return Body(
        text=_clean(text),
        html=clean_text(content.html) if content.html and content.html.strip() else None,
        attachments=tuple(content.attachments[:_ATTACHMENT_LIMIT]),
        notes=tuple(dict.fromkeys(content.notes)),
    )


def read_text(raw: bytes, part: Part, limit_bytes: int = TEXT_LIMIT_CHARS * 4) -> str:
    """Decode a text part by its charset, lines ended by LF; ``format=flowed`` is joined."""
    data = decode_part(raw, part, limit_bytes)
    text = decode_text(data, part.parameters.get("charset")).replace("\r\n", "\n").replace("\r", "\n")
    if part.parameters.get("format", "").lower() == "flowed" and part.mime == "text/plain":
        return unflow(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
    return text


def _read(raw: bytes, part: Part, *, is_root: bool = False) -> _Content:
    if not part.children:
        return _read_leaf(raw, part, is_root=is_root)
    if part.mime == "multipart/encrypted":
        files = [_attach(raw, child) for child in part.children[1:]]
        return _Content(text=ENCRYPTED, has_plain=True, attachments=files)
    if part.mime == "multipart/signed":
        shown = [child for child in part.children if child.mime not in _SIGNATURES]
        return _mixed([_read(raw, child) for child in shown])
    if part.mime == "multipart/alternative":
        return _alternative([_read(raw, child) for child in part.children])
    if part.mime == "multipart/related":
        return _related(raw, part)
    return _mixed([_read(raw, child) for child in part.children])


def _read_leaf(raw: bytes, part: Part, *, is_root: bool) -> _Content:
    disposition, parameters = part.disposition
    has_name = bool(parameters.get("filename") or part.parameters.get("name"))
    is_file = disposition == "attachment" or (has_name and not is_root)
    if part.mime in _TNEF_TYPES or part.parameters.get("name", "").lower() == "winmail.dat":
        return _read_tnef(raw, part)
    if part.mime in _SMIME:
        return _read_smime(raw, part)
    if part.mime in _SIGNATURES:
        return _Content()
    if part.mime == "text/calendar":
        line = describe_invitation(read_text(raw, part))
        return _Content(attachments=[_attach(raw, part)], notes=[line] if line else [])
    if not part.mime.startswith("text/") or is_file:
        return _Content(attachments=[_attach(raw, part)])
    if part.mime == "text/html":
        return _read_html(raw, part)
    if part.mime in ("text/plain", "text/enriched", "text/richtext", "text/markdown") or is_root:
        return _read_plain(raw, part)
    return _Content(attachments=[_attach(raw, part)])


def _read_plain(raw: bytes, part: Part) -> _Content:
    text = read_text(raw, part)
    content = _Content(text=text, has_plain=True)
    if len(text) > TEXT_LIMIT_CHARS or decoded_size(raw, part) > TEXT_LIMIT_CHARS * 4:
        content.text = text[:TEXT_LIMIT_CHARS]
        content.notes.append(CUT_TEXT)
        content.attachments.append(_attach(raw, part))
    if _PGP_BLOCK.search(text[:20_000]):
        content.notes.append(ENCRYPTED)
    return content


def _read_html(raw: bytes, part: Part) -> _Content:
    data = decode_part(raw, part, HTML_LIMIT_BYTES + 1)
    html = decode_text(data, part.parameters.get("charset") or _meta_charset(data))
    if len(data) <= HTML_LIMIT_BYTES and len(html.encode("utf-8", "replace")) <= HTML_LIMIT_BYTES:
        return _Content(html=html)
    text = _text_of(html[:HTML_LIMIT_BYTES])[:TEXT_LIMIT_CHARS]
    return _Content(text=text, has_plain=True, attachments=[_attach(raw, part)], notes=[CUT_TEXT])


def _meta_charset(data: bytes) -> str | None:
    found = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_:.-]{2,40})", data[:4096], re.IGNORECASE)
    return found[1].decode("ascii") if found else None


def _read_tnef(raw: bytes, part: Part) -> _Content:
    files = read_tnef(decode_part(raw, part))
    if not files:
        return _Content(attachments=[_attach(raw, part)])
    refs = []
    for number, file in enumerate(files):
        name = clean_filename(file.name) or f"file-{number + 1}{extension_of(file.mime)}"
        refs.append(
            AttachmentRef(
                ref=f"{part.path}/tnef:{number}",
                kind=kind_of(file.mime, name),
                filename=name,
                mime=file.mime.lower() if MIME.fullmatch(file.mime.lower()) else None,
                size_bytes=len(file.content),
                inline_cid=one_line(file.content_id)[:200] or None,
            )
        )
    return _Content(attachments=refs)


def _read_smime(raw: bytes, part: Part) -> _Content:
    kind = part.parameters.get("smime-type", "").lower()
    if kind in ("signed-data", "") and (content := signed_content(decode_part(raw, part))) is not None:
        inner = read_structure(with_line_feeds(content))
        if inner.headers:
            shown = _read(content, inner, is_root=True)
            shown.attachments = [
                msgspec.structs.replace(one, ref=f"{part.path}/smime:{one.ref}") for one in shown.attachments
            ]
            return shown
    note = ENVELOPED_SIGNED if kind in ("signed-data", "signed-receipt", "certs-only") else ENCRYPTED
    return _Content(text=note, has_plain=True, attachments=[_attach(raw, part)])


def _alternative(contents: list[_Content]) -> _Content:
    """The plain part for the text where it says something, the last HTML for the HTML; files of all."""
    joined = _Content()
    for content in contents:
        if content.html is not None:
            joined.html = content.html
        elif content.has_plain and content.text.strip() and not joined.text:
            joined.text, joined.has_plain = content.text, True
        joined.attachments += content.attachments
        joined.notes += content.notes
    return joined


def _related(raw: bytes, part: Part) -> _Content:
    """The root part (``start``, else the first) shows; the others are its pictures, or files like any other."""
    start = part.parameters.get("start", "").strip("<> ")
    at = next((number for number, child in enumerate(part.children) if start and _content_id(child) == start), 0)
    content = _read(raw, part.children[at])
    for number, child in enumerate(part.children):
        if number != at:
            other = _read(raw, child)
            if other.text or other.html:
                # Broken senders put more texts beside the root; they are shown after it.
                content = _mixed([content, replace(other, attachments=[], notes=[])])
            content.attachments += other.attachments
            content.notes += other.notes
    return content


def _mixed(contents: list[_Content]) -> _Content:
    shown = [one for one in contents if (one.text or one.html or "").strip()]
    joined = _Content(
        attachments=[file for one in contents for file in one.attachments],
        notes=[note for one in contents for note in one.notes],
        has_plain=any(one.has_plain for one in shown),
    )
    if len(shown) == 1:
        joined.text, joined.html = shown[0].text, shown[0].html
    elif shown:
        joined.text = "\n\n".join((one.text if one.text.strip() else _text_of(one.html)).strip("\n") for one in shown)
        if any(one.html for one in shown):
            joined.html = "\n".join(one.html or _as_html(one.text) for one in shown)
    if joined.html and len(joined.html) > HTML_LIMIT_BYTES:
        joined.html = None
    return joined


def _attach(raw: bytes, part: Part) -> AttachmentRef:
    _, parameters = part.disposition
    name = clean_filename(parameters.get("filename") or part.parameters.get("name") or "")
    if part.mime == "message/rfc822":
        name = name or _forwarded_name(raw, part)
    # "3.1.2" says little; "part-3.1.2.png" opens with a click.
    name = name or f"part-{part.path}{extension_of(part.mime)}"
    return AttachmentRef(
        ref=part.path,
        kind=kind_of(part.mime, name),
        filename=name,
        mime=part.mime,
        size_bytes=decoded_size(raw, part),
        inline_cid=_content_id(part) or None,
    )


def kind_of(mime: str, filename: str) -> str:
    """Say ``image``, ``audio``, ``video`` or ``file``; the name decides where the type says nothing."""
    family = mime.partition("/")[0].lower()
    if family in ("image", "audio", "video"):
        return family
    if mime in ("", "application/octet-stream") and re.search(
        r"\.(?:jpe?g|png|gif|webp|heic)$", filename, re.IGNORECASE
    ):
        return "image"
    return "file"


def _forwarded_name(raw: bytes, part: Part) -> str:
    headers, _ = read_headers(raw, part.start, part.end)
    return clean_filename(f"{headers.text('subject')[:80] or 'message'}.eml")


def _content_id(part: Part) -> str:
    return one_line(part.headers.raw("content-id").strip("<> "))[:200]


def _text_of(html: str | None) -> str:
    return html_to_text(html) if html else ""


def _as_html(text: str) -> str:
    return f'<div style="white-space:pre-wrap">{escape(text, quote=False)}</div>' if text.strip() else ""


def _clean(text: str) -> str:
    text = _CONTROL.sub("", text)
    return clean_text(text[:TEXT_LIMIT_CHARS]).strip("\n")
