"""Sealed texts: what is sealed of JSON, and what opens where."""

import msgspec
import pytest

from hub import sealed
from hub.channels.sealing import Sealer

KEY = Sealer({1: "k" * 32})
DATA = KEY.unwrap(KEY.new_data_key(7, 1000))


def seal(name, text, row_id="m1"):
    return sealed.seal_text(DATA, 7, row_id, name, text)


def test_every_text_of_a_message_is_sealed_and_its_shape_stays():
    """Ids, times, names of people and states stay readable for the database; what was said does not."""
    tree = {
        "type": "message_received",
        "conversation": {"id": "c1", "subject": "S", "preview": "P", "status": "open"},
        "message": {
            "id": "m1", "text": "T", "quoted": "Q", "headers": {"subject": "S", "to": [{"name": "Ann"}]},
            "reply_to": {"message_id": "m0", "text": "R"}, "change": {"kind": "edit", "text": "E"},
            "template": {"name": "hello", "variables": {"1": "V"}}, "attachments": [{"filename": "a.txt"}],
        },
    }  # fmt: skip
    kept = sealed.seal_tree(tree, lambda name, text: f"<{name}>" if text else "")
    assert kept["conversation"] == {"id": "c1", "subject": "<subject>", "preview": "<preview>", "status": "open"}
    assert kept["message"] == {
        "id": "m1", "text": "<text>", "quoted": "<quoted>",
        "headers": {"subject": "<subject>", "to": [{"name": "Ann"}]},
        "reply_to": {"message_id": "m0", "text": "<text>"}, "change": {"kind": "edit", "text": "<text>"},
        "template": {"name": "hello", "variables": {"1": "<variables>"}}, "attachments": [{"filename": "a.txt"}],
    }  # fmt: skip


@pytest.mark.parametrize("text", ["hello", "ünïcode 🎉", "\ud800 alone", f"{sealed.MARK}7:1000:m1:text:AAAA", " "])
def test_any_text_comes_back(text):
    """Also one that looks sealed, and one that is no UTF-8."""
    token = sealed.read_token(seal("text", text))
    assert sealed.open_token(DATA, token) == text


def test_nothing_is_said_of_a_text_but_where_it_stands():
    """The same text is never sealed to the same; that there is none is no secret."""
    assert seal("text", "same") != seal("text", "same")
    assert "same" not in seal("text", "same")
    assert seal("text", "") == ""


@pytest.mark.parametrize(("part", "other"), [(1, "8"), (2, "1001"), (3, "m2"), (4, "quoted")])
def test_a_text_opens_in_its_own_place_only(part, other):
    """Another workspace, key, row or field in its name, and it stays shut."""
    parts = seal("text", "hello").removeprefix(sealed.MARK).split(":")
    parts[part - 1] = other
    token = sealed.read_token(sealed.MARK + ":".join(parts))
    assert sealed.open_token(DATA, token) is None


@pytest.mark.parametrize("text", ["", "hello", sealed.MARK, f"{sealed.MARK}1:2:3", f"x{seal('text', 'a')}"])
def test_what_was_never_sealed_is_no_token(text):
    """A text is sealed as a whole, or not."""
    assert sealed.read_token(text) is None


def test_texts_are_opened_among_the_ids_around_them():
    """Each text is offered with the ids it may be bound to, those of the row and of what it is inside of."""
    seen = []

    def opened(text, scope):
        seen.append((text[-1], sorted(scope)))
        return "open"

    tree = [{"id": "c1", "preview": f"{sealed.MARK}P", "message": {"id": "m1", "text": f"{sealed.MARK}T"}}, "plain"]
    assert sealed.open_tree(tree, frozenset({"5"}), opened) == [
        {"id": "c1", "preview": "open", "message": {"id": "m1", "text": "open"}}, "plain",
    ]  # fmt: skip
    assert seen == [("P", ["5", "c1"]), ("T", ["5", "c1", "m1"])]


def test_a_blinded_subject_is_found_again_and_not_guessed():
    """The same under one key, another under another; the text is not in it."""
    other = KEY.unwrap(KEY.new_data_key(7, 1001))
    assert DATA.blind("invoice") == DATA.blind("invoice")
    assert DATA.blind("invoice") != other.blind("invoice")
    assert "invoice" not in DATA.blind("invoice")
    assert msgspec.json.encode(DATA.blind("invoice")).startswith(b'"hub-blind:1:1000:')
