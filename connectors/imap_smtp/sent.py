"""The folder for sent mail: puts copies there, and looks whether a mail nobody confirmed is there. Blocking."""

from __future__ import annotations

from datetime import datetime

from imapclient import SEEN
from imapclient.exceptions import IMAPClientError

from connectors.imap_smtp.errors import error
from connectors.imap_smtp.mailbox import Mailbox
from connectors.imap_smtp.session import ALL, signed_in
from hub.errors import ErrorClass


def keep_copy(mailbox: Mailbox, content: bytes, at: datetime) -> bool:
    """
    Put a copy of a sent mail where other mail programs look for it.

    Args:
        mailbox: Whose.
        content: The mail as it was sent.
        at: When.

    Returns:
        False where the mailbox has no folder for sent mail.

    Raises:
        ConnectorError: The server cannot be reached.
    """
    try:
        with signed_in(mailbox) as session:
            folder = session.sent_folder()
            if folder is None:
                return False
            session.append(folder, content, flags=(SEEN,), msg_time=at)
            return True
    except (IMAPClientError, OSError) as problem:
        raise _broken() from problem


def is_there(mailbox: Mailbox, message_id: str) -> bool:
    """
    Say whether a mail is in the folder for sent mail, or among all mail where the server has such a folder.

    Args:
        mailbox: Whose.
        message_id: Without angle brackets.

    Raises:
        ConnectorError: The server cannot be reached.
    """
    try:
        with signed_in(mailbox) as session:
            everything = session.find_special_folder(ALL)
            for folder in dict.fromkeys(one for one in (session.sent_folder(), everything) if one):
                session.select_folder(folder, readonly=True)
                if session.find_uids("HEADER", "Message-ID", message_id):
                    return True
    except (IMAPClientError, OSError) as problem:
        raise _broken() from problem
    return False


def _broken() -> Exception:
    return error(ErrorClass.RETRYABLE, "no_connection", "The connection to the mail server broke.")
