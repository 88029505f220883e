"""
Reads a mailbox from a cursor on, for ever: what is there, oldest first, then whatever comes. Blocking.

A generator that ``poll`` runs in a thread; between two batches the runner has stored the first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from imapclient.exceptions import IMAPClientError

from connectors.base import PolledBatch, Progress, RawItem
from connectors.imap_smtp.cursor import Cursor, Place, read_cursor
from connectors.imap_smtp.errors import error
from connectors.imap_smtp.fetching import Listed, fetch_cut, fetch_whole, list_mails
from connectors.imap_smtp.mailbox import Mailbox
from connectors.imap_smtp.session import INBOX, Session, signed_in
from connectors.imap_smtp.turns import Listing, Pending, batches, in_order
from hub.errors import ErrorClass

# A NAT drops idle connections after as little as five minutes without a word to either side; ending IDLE every three
# both keeps it open and finds out when it is not. RFC 2177 allows 29.
IDLE_S = 170.0
# Where the server has no IDLE.
POLL_S = 60.0
LIST_MAILS = 1000
# Fewer than this are no history worth a progress bar.
PROGRESS_FROM_MAILS = 60
# After UIDVALIDITY changed: as much is read again, known mails are recognised by their Message-ID.
REREAD = timedelta(days=7)
# All mailboxes of a process together; each holds one batch, see ``turns``.
FETCHES_AT_ONCE = 6


class Pace(msgspec.Struct, frozen=True):
    """How long one IDLE lasts, and how long to wait where there is none."""

    idle_s: float = IDLE_S
    poll_s: float = POLL_S


DEFAULT_PACE = Pace()


@dataclass(slots=True)
class Ports:
    """
    What reading needs of the outside.

    Attributes:
        stop: Set when nobody wants more.
        permits: Shared by all mailboxes of a process, so that memory stays bounded.
        note_session: See ``signed_in``.
    """

    note_session: Callable[[Session], None]
    permits: threading.Semaphore
    stop: threading.Event = field(default_factory=threading.Event)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pace: Pace = field(default_factory=lambda: DEFAULT_PACE)


def watch(mailbox: Mailbox, cursor_text: str | None, ports: Ports) -> Generator[PolledBatch, None, None]:
    """
    Read a mailbox until told to stop.

    Args:
        mailbox: Which.
        cursor_text: Where to go on; None for the first time.
        ports: The outside.

    Yields:
        Batches, an empty one whenever there was nothing; each with the cursor behind it.

    Raises:
        ConnectorError: No connection, one that broke, or the server refuses; in words.
    """
    since = ports.now() - timedelta(days=mailbox.backfill_days)
    cursor = read_cursor(cursor_text, mailbox.fingerprint, since)
    try:
        with signed_in(mailbox, ports.note_session) as session:
            reader = _Reader(session, mailbox, cursor, ports)
            while not ports.stop.is_set():
                yield from reader.catch_up()
                reader.wait()
    except (IMAPClientError, OSError) as problem:
        raise error(ErrorClass.RETRYABLE, "no_connection", "The connection to the mail server broke.") from problem


class _Reader:
    """One session's reading."""

    def __init__(self, session: Session, mailbox: Mailbox, cursor: Cursor, ports: Ports) -> None:
        self._session = session
        self._mailbox = mailbox
        self._cursor = cursor
        self._ports = ports
        self._sent = session.sent_folder()
        extra = [one for one in mailbox.folders if session.folder_exists(one)]
        self._folders = list(dict.fromkeys(one for one in (INBOX, self._sent, *extra) if one))
        self._can_idle = bool(session.has_capability("IDLE"))
        self._selected = ""
        self._selected_next: int | None = None

    def catch_up(self) -> Iterator[PolledBatch]:
        """Yield everything not read yet; one empty batch when that is nothing."""
        total = done = 0
        while not self._ports.stop.is_set():
            found = {folder: self._new_uids(folder) for folder in self._folders}
            left = sum(len(uids) for uids in found.values())
            total = max(total, done + left)
            if not left:
                break
            for batch in batches(in_order(self._list(found))):
                with self._permit():
                    items = self._fetch(batch)
                    done += len(batch)
                    yield PolledBatch(items=items, cursor=self._cursor.text(), progress=self._progress(done, total))
                    del items
        yield PolledBatch(items=(), cursor=self._cursor.text())

    def wait(self) -> None:
        """Return when there may be something new in the inbox, or it is time to look everywhere."""
        if not self._can_idle:
            self._ports.stop.wait(self._ports.pace.poll_s)
            return
        self._select(INBOX, fresh=True)
        place = self._cursor.folders.get(INBOX)
        if place is None or self._selected_next is None or self._selected_next > place.last + 1:
            # Something came between reading and now; IDLE would not tell of it.
            return
        self._idle()

    def _idle(self) -> None:
        ends_at = self._ports.now() + timedelta(seconds=self._ports.pace.idle_s)
        self._session.idle()
        while (left_s := (ends_at - self._ports.now()).total_seconds()) > 0 and not self._ports.stop.is_set():
            answers = self._session.idle_check(timeout=left_s)
            # No answer means that the time is over, or that the server has gone: IMAPClient shows both alike.
            if not answers or any(_is_news(one) for one in answers):
                break
        # The watchdog: a dead peer does not answer DONE, and the read timeout ends the session.
        self._session.idle_done()

    # ── what is new ─────────────────────────────────────────────────────────────────────────────────────────────

    def _new_uids(self, folder: str) -> list[int]:
        """Return the UIDs to read of a folder, ascending; notes where it stands when there are none."""
        validity, next_uid = self._select(folder, fresh=True)
        place = self._cursor.folders.get(folder)
        if place is None or place.validity != validity:
            place = self._begin(folder, place, validity, next_uid)
        if next_uid is not None and next_uid <= place.last + 1:
            return []
        # "n:*" always means at least the last mail, hence the filter.
        uids = sorted(uid for uid in self._session.find_uids("UID", f"{place.last + 1}:*") if uid > place.last)
        if not uids and next_uid is not None:
            self._cursor = self._cursor.at(folder, msgspec.structs.replace(place, last=next_uid - 1))
        return uids

    def _begin(self, folder: str, old: Place | None, validity: int, next_uid: int | None) -> Place:
        """Find where to begin in a folder never read, or whose UIDs are void."""
        since = self._cursor.since if old is None else old.since
        if old is not None and old.seen is not None:
            since = max(since, old.seen - REREAD)
        last = 0
        if old is None and self._mailbox.backfill_days == 0 and next_uid is not None:
            last = next_uid - 1
        else:
            # SINCE has days only, in the server's zone: one day early is one day that is recognised.
            uids = self._session.find_uids("SINCE", (since - timedelta(days=1)).date())
            last = min(uids) - 1 if uids else (next_uid or 1) - 1
        place = Place(validity=validity, last=last, since=since, seen=old.seen if old else None)
        self._cursor = self._cursor.at(folder, place)
        return place

    def _list(self, found: Mapping[str, Sequence[int]]) -> dict[str, Listing]:
        listings: dict[str, Listing] = {}
        for folder, uids in found.items():
            if uids:
                self._select(folder)
                some = uids[:LIST_MAILS]
                listings[folder] = Listing(list_mails(self._session, some), is_cut=len(uids) > LIST_MAILS)
                if not listings[folder].mails:
                    # All of them have gone since.
                    self._pass(folder, some[-1])
        return listings

    # ── fetching ────────────────────────────────────────────────────────────────────────────────────────────────

    def _fetch(self, batch: Sequence[Pending]) -> list[RawItem]:
        bodies: dict[tuple[str, int], bytes] = {}
        for folder in dict.fromkeys(one.folder for one in batch):
            mails = [one.mail for one in batch if one.folder == folder]
            self._select(folder)
            for uid, body in self._bodies(mails).items():
                bodies[folder, uid] = body
        items = []
        for one in batch:
            place = self._cursor.folders[one.folder]
            fetched = bodies.get((one.folder, one.mail.uid))
            if fetched:
                items.append(RawItem(key=self._key(one, place.validity), body=fetched))
            seen = max(place.seen or one.mail.arrived_at, one.mail.arrived_at)
            moved = msgspec.structs.replace(place, last=max(place.last, one.mail.uid), seen=seen)
            self._cursor = self._cursor.at(one.folder, moved)
        return items

    def _bodies(self, mails: Sequence[Listed]) -> dict[int, bytes]:
        whole = [one.uid for one in mails if one.size_bytes <= self._mailbox.largest_bytes]
        bodies = fetch_whole(self._session, whole) if whole else {}
        for one in mails:
            if one.uid not in whole and (cut := fetch_cut(self._session, one)) is not None:
                bodies[one.uid] = cut
        return bodies

    def _key(self, one: Pending, validity: int) -> str:
        """``parse`` knows by its beginning whether strangers can write to the folder; see ``parse.py``."""
        role = "sent" if one.folder == self._sent else "in"
        return f"{role}:{validity}:{one.mail.uid}:{one.folder}"[:300]

    def _pass(self, folder: str, uid: int) -> None:
        place = self._cursor.folders[folder]
        self._cursor = self._cursor.at(folder, msgspec.structs.replace(place, last=max(place.last, uid)))

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _select(self, folder: str, *, fresh: bool = False) -> tuple[int, int | None]:
        """Open a folder for reading only; returns UIDVALIDITY and UIDNEXT, the latter only when asked ``fresh``."""
        if folder == self._selected and not fresh:
            return 0, None
        self._selected = ""
        answer = self._session.select_folder(folder, readonly=True)
        self._selected = folder
        validity = answer.get(b"UIDVALIDITY")
        next_uid = answer.get(b"UIDNEXT")
        if not isinstance(validity, int):
            raise IMAPClientError("the server gives no UIDVALIDITY")
        self._selected_next = next_uid if isinstance(next_uid, int) else None
        return validity, self._selected_next

    def _progress(self, done: int, total: int) -> Progress | None:
        if total < PROGRESS_FROM_MAILS or done >= total:
            return None
        since = self._cursor.since
        return Progress(done=done, total=total, what=f"Reading mail since {since.day} {since:%b}")

    @contextmanager
    def _permit(self) -> Iterator[None]:
        while not self._ports.permits.acquire(timeout=0.5):
            if self._ports.stop.is_set():
                raise IMAPClientError("stopped")
        try:
            yield
        finally:
            self._ports.permits.release()


def _is_news(answer: Sequence[object]) -> bool:
    """``(3, b"EXISTS")`` is news, ``(b"BYE", …)`` the end; ``(b"OK", b"Still here")`` and changed flags are neither."""
    return answer[0] == b"BYE" or (len(answer) > 1 and answer[1] in (b"EXISTS", b"RECENT"))
