"""
Mail, read and written without any IO: RFC 5322 bytes to items and outgoing messages to bytes.

Not a channel (no manifest): ``imap_smtp``, ``gmail`` and ``outlook`` use it.
"""

from connectors.mime.compose import compose_html, compose_mail, reply_subject
from connectors.mime.model import ComposedMail, MailContext, MailFile, MailSettings
from connectors.mime.parse import parse_mail, read_part

__all__ = [
    "ComposedMail",
    "MailContext",
    "MailFile",
    "MailSettings",
    "compose_html",
    "compose_mail",
    "parse_mail",
    "read_part",
    "reply_subject",
]
