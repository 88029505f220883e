"""
Writes RFC 5322: header fields folded at blanks, encoded words, parameters, part bodies; ASCII with CRLF only.

Our own because Python's folds long Message-IDs into encoded words, which breaks threads and signatures. Pure.
"""

from __future__ import annotations

import base64
import binascii
import re

from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

_LINE_CHARS = 76
_WORD_BYTES = 45  # in base64 60 characters, with its frame below the 75 of RFC 2047, section 2
_SAFE_NAME = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~.-]*")
_ATOMS = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*")
_BREAK = re.compile(r"[\r\n\x00\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_ID = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]{1,900}")
_MIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,100}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,100}")


def refuse(message: str, code: str) -> ConnectorError:
    """Return the error for what cannot be written into a mail; the delivery fails and says why."""
    return ConnectorError(ConnectorErrorInfo(klass=ErrorClass.CONTENT, code=code, message=message))


def check_address(address: str) -> str:
    """Return an address fit for a header and for SMTP without SMTPUTF8; ``ConnectorError`` (CONTENT) for any other."""
    local, _, domain = address.rpartition("@")
    try:
        ascii_form = f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"
    except UnicodeError:
        ascii_form = ""
    if not _ADDRESS.fullmatch(ascii_form) or ".." in ascii_form:
        raise refuse("This mail address cannot be written to.", "address")
    return ascii_form


def header(name: str, value: str) -> str:
    """
    Write one field.

    Args:
        name: ASCII.
        value: ASCII, words already encoded; folded at blanks, never inside a word.

    Raises:
        ConnectorError: The value holds a line break (CONTENT).
    """
    if _BREAK.search(value) or not value.isascii():
        raise refuse("A header field of this mail holds a line break.", "header")
    lines, line = [], f"{name}:"
    for word in value.split(" "):
        if word and len(line) + 1 + len(word) > _LINE_CHARS and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line]) + "\r\n"


def phrase(text: str) -> str:
    """Encode unstructured text (a subject) or a name: ASCII as it is, other text in encoded words."""
    if _BREAK.search(text):
        raise refuse("A header field of this mail holds a line break.", "header")
    long_word = any(len(word) > _LINE_CHARS for word in text.split(" "))
    if text.isascii() and text.isprintable() and "=?" not in text and not long_word:
        return text
    return " ".join(f"=?utf-8?b?{base64.b64encode(piece).decode()}?=" for piece in _pieces(text))


def mailbox(name: str | None, address: str) -> str:
    """Write ``Name <address>``; the name is quoted or encoded as needed."""
    address = check_address(address)
    shown = re.sub(r"\s+", " ", name or "").strip()
    if not shown:
        return address
    encoded = phrase(shown)
    if encoded == shown and not _ATOMS.fullmatch(shown):
        encoded = '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{encoded} <{address}>"


def message_ids(ids: tuple[str, ...]) -> str:
    """Write ids in angle brackets; those that cannot stand in a header are left out."""
    bare = [one.strip().strip("<>") for one in ids]
    return " ".join(f"<{one}>" for one in bare if _ID.fullmatch(one))


def parameter(name: str, value: str) -> str:
    """Write one parameter: quoted where ASCII, by RFC 2231 (in pieces of one line each) otherwise."""
    if len(value) <= 60 and _SAFE_NAME.fullmatch(value):
        return f'; {name}="{value}"'
    encoded = "".join(
        chr(one) if chr(one).isascii() and chr(one).isalnum() else f"%{one:02X}" for one in value.encode()
    )
    pieces = re.findall(r"(?:%..|[^%]){1,16}", encoded)
    if len(pieces) == 1:
        return f"; {name}*=utf-8''{encoded}"
    return "".join(f"; {name}*{at}*={'utf-8' + chr(39) * 2 if not at else ''}{one}" for at, one in enumerate(pieces))


def check_mime(mime: str) -> str:
    """Return a content type fit for a header; ``application/octet-stream`` for anything else."""
    family = mime.partition("/")[0].lower()
    return (
        mime.lower() if _MIME.fullmatch(mime) and family not in ("multipart", "message") else "application/octet-stream"
    )


def text_part(subtype: str, text: str) -> bytes:
    """Write a text part: 7bit where its lines allow it, else quoted-printable, else (mostly not Latin) base64."""
    data = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    data = data.rstrip(b"\n") + b"\n"
    is_plain = (
        data.isascii()
        and b"\x00" not in data
        and all(
            len(line) <= 900 and not line.startswith(b"From ") and line == line.rstrip() for line in data.split(b"\n")
        )
    )
    if is_plain:
        encoding, body = "7bit", data.replace(b"\n", b"\r\n")
    elif sum(one > 127 for one in data[:4000]) * 3 > len(data[:4000]):
        encoding, body = "base64", base64_lines(data.replace(b"\n", b"\r\n"))
    else:
        encoding, body = "quoted-printable", _quoted_printable(data)
    charset = "us-ascii" if data.isascii() else "utf-8"
    head = header("Content-Type", f'text/{subtype}; charset="{charset}"') + header(
        "Content-Transfer-Encoding", encoding
    )
    return head.encode() + b"\r\n" + body


def base64_lines(data: bytes) -> bytes:
    """Encode in lines of 76 characters with CRLF."""
    step = 57 * 1024
    chunks = (
        b"\r\n".join(
            binascii.b2a_base64(data[at + row : at + row + 57], newline=False)
            for row in range(0, min(step, len(data) - at), 57)
        )
        for at in range(0, len(data), step)
    )
    return b"\r\n".join(chunks) + b"\r\n"


def _quoted_printable(data: bytes) -> bytes:
    encoded = binascii.b2a_qp(data, quotetabs=False, istext=True, header=False).replace(b"\r\n", b"\n")
    # A relay may stuff dots and quote "From " at line starts; neither survives a signature.
    lines = [
        b"=46" + line[1:] if line.startswith(b"From ") else b"=2E" + line[1:] if line.startswith(b".") else line
        for line in encoded.split(b"\n")
    ]
    return b"\r\n".join(lines)


def _pieces(text: str) -> list[bytes]:
    """Cut between characters, so that each encoded word is whole."""
    pieces, piece = [], b""
    for char in text:
        data = char.encode("utf-8", "replace")
        if len(piece) + len(data) > _WORD_BYTES:
            pieces.append(piece)
            piece = b""
        piece += data
    return [*pieces, piece] if piece else pieces
