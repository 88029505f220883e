"""Reads form bodies byte for byte, as they were signed. Pure; used by ``verify`` and ``parse``."""

from __future__ import annotations

from urllib.parse import parse_qsl

from hub.errors import MalformedPayload

# Twilio sends about 25 fields, and 2 more an attachment.
_FIELDS_LIMIT = 500


def read_form(body: bytes) -> list[tuple[bytes, bytes]]:
    """
    Decode a form body without guessing a charset.

    Args:
        body: ``application/x-www-form-urlencoded``, any bytes.

    Returns:
        Name and value of each field, in order; blank values are kept, because they are signed.

    Raises:
        MalformedPayload: More than 500 fields.
    """
    # In latin-1 one character is one byte, so what comes out are the bytes that went in.
    try:
        pairs = parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=_FIELDS_LIMIT
        )
    except ValueError as error:
        raise MalformedPayload("too many form fields") from error
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
