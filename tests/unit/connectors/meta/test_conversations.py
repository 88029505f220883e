"""What a message of the past is written as: its parts, its sides, and what is no message we could show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from connectors.base import ParseContext
from connectors.instagram import PRODUCT
from connectors.meta.conversations import PastMessage, read_moment, write_event
from connectors.meta.parse import parse, past_item
from hub.envelope import InboundItem

OURS, THEIRS = "17841400000000001", "8800112233445566"
AT = "2026-11-20T10:00:00+0000"
CDN = "https://scontent.xx.fbcdn.net/v"


def told(**parts: Any) -> dict[str, Any]:
    both = {"from": {"id": THEIRS, "username": "nadia.b"}, "to": {"data": [{"id": OURS, "username": "northwind"}]}}
    return {"id": "m_1", "created_time": AT} | both | parts


def shown(**parts: Any) -> InboundItem | None:
    event = write_event(msgspec.convert(told(**parts), PastMessage), OURS)
    if event is None:
        return None
    raw = past_item(event, OURS)
    (item,) = parse(raw.body, ParseContext(received_at=datetime.now(UTC), key=raw.key, settings={}), PRODUCT)
    return item


def test_files_keep_their_kind_and_address():
    """Pictures, films, sounds and anything else, in their order; a sticker is a picture."""
    files = [
        {"id": "1", "mime_type": "image/jpeg", "image_data": {"url": f"{CDN}/1.jpg", "width": 9}},
        {"id": "2", "mime_type": "video/mp4", "video_data": {"url": f"{CDN}/2.mp4"}},
        {"id": "3", "mime_type": "audio/mpeg", "file_url": f"{CDN}/3.mp3"},
        {"id": "4", "mime_type": "application/pdf", "file_url": f"{CDN}/4.pdf", "name": "bill.pdf", "size": 10},
        {"id": "5", "mime_type": "x/y"},
    ]
    item = shown(message="look", attachments={"data": files}, sticker=f"{CDN}/s.png")
    assert item is not None
    assert [(one.kind, one.ref.rpartition("/")[2]) for one in item.attachments] == [
        ("image", "1.jpg"),
        ("video", "2.mp4"),
        ("audio", "3.mp3"),
        ("file", "4.pdf"),
        ("image", "s.png"),
    ]
    assert item.text == "look"


def test_shares_and_stories_are_shown_in_words():
    """A shared post is its link; a link that stands in the text already is not told twice."""
    post = {"link": "https://www.instagram.com/p/1", "name": "Oak table"}
    shared = shown(message="", shares={"data": [post]})
    written = shown(message="see https://www.instagram.com/p/1", shares={"data": [post]})
    mention = shown(message="", story={"mention": {"link": f"{CDN}/story", "id": "1"}})
    answer = shown(message="nice", story={"reply_to": {"link": f"{CDN}/story", "id": "1"}})
    assert shared is not None
    assert written is not None
    assert mention is not None
    assert answer is not None
    assert shared.text == "Shared something: Oak table: https://www.instagram.com/p/1"
    assert written.text == "see https://www.instagram.com/p/1"
    assert mention.text == f"Mentioned you in their story: {CDN}/story"
    assert (answer.text, answer.quoted) == ("nice", f"In answer to your story\n{CDN}/story")


def test_what_meta_does_not_hand_over_is_shown_as_such():
    """A kind of message Meta keeps to itself, and one with nothing in it, are rows that say so."""
    kept, empty = shown(is_unsupported=True), shown(message="")
    assert kept is not None
    assert empty is not None
    assert "cannot hand this kind" in kept.unreadable
    assert "nothing we can show" in empty.unreadable


@pytest.mark.parametrize(
    "parts",
    [
        {"created_time": ""},
        {"created_time": "yesterday"},
        {"created_time": "2026-11-20T10:00:00"},
        {"from": None},
        {"from": {"id": ""}},
        {"from": {"id": OURS}, "to": None},
        {"from": {"id": OURS}, "to": {"data": [{"id": OURS}]}},
        {"id": ""},
    ],
    ids=str,
)
def test_message_without_time_or_sides_is_none(parts):
    """Of what Meta withholds there is an id alone: there is nothing to put anywhere."""
    assert shown(**parts) is None


def test_answer_of_ours_names_the_person_it_went_to():
    """The thread is the person's, whoever wrote; a name that is given is theirs, not the page's."""
    ours = {"id": OURS, "name": "Northwind"}
    item = shown(**{"from": ours, "to": {"data": [{"id": THEIRS, "name": "Nadia Brandt"}]}, "message": "hello"})
    assert item is not None
    assert item.sender is not None
    assert (item.direction.value, item.thread_key) == ("outbound", THEIRS)
    assert item.sender.display_name == "Nadia Brandt"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (AT, datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T12:00:00+0200", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        (1795348800, datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("1795348800", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("9" * 30, None),
        ("", None),
    ],
)
def test_times_are_read_in_both_of_metas_forms(text, moment):
    """ISO 8601 with an offset, or seconds since 1970."""
    assert read_moment(text) == moment
