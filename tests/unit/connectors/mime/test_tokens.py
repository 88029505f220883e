"""Our references in mail cannot be forged, and come back through what mail programs do to them."""

from __future__ import annotations

import msgspec
import pytest

from connectors.mime.tokens import (
    TokenKey,
    Tokens,
    read_tokens,
    sign_marker,
    sign_message_id,
    sign_plus_address,
    without_token,
)
from hub.errors import InvalidInput
from tests.corpus.mail import CONVERSATION, KEY, MESSAGE, OUR_ID, OUR_MARKER, OUR_PLUS

STRANGERS = {
    "key": TokenKey(b"another key of thirty-two bytes!", KEY.workspace_id, KEY.account_id),
    "workspace": TokenKey(KEY.signing_key, KEY.workspace_id + 1, KEY.account_id),
    "account": TokenKey(KEY.signing_key, KEY.workspace_id, "00000000-0000-0000-0000-000000000099"),
}


def test_read_tokens_finds_what_was_signed():
    """All three carriers give the conversation; the Message-ID also our message."""
    tokens = read_tokens(
        KEY, addresses=[f"Support <{OUR_PLUS}>"], message_ids=[f"<{OUR_ID}>"], texts=[f"x {OUR_MARKER} y"]
    )

    assert tokens.conversation_ids == (CONVERSATION,)
    assert tokens.message_ids == (MESSAGE,)


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_read_tokens_ignores_other_signers(stranger):
    """A token of another key, workspace or account yields nothing."""
    tokens = read_tokens(
        KEY,
        addresses=[sign_plus_address(stranger, CONVERSATION, "support@acme.example")],
        message_ids=[sign_message_id(stranger, CONVERSATION, MESSAGE, "acme.example")],
        texts=[sign_marker(stranger, CONVERSATION)],
    )

    assert tokens.conversation_ids == ()
    assert tokens.message_ids == ()


def test_read_tokens_ignores_every_changed_character():
    """Changing any one character breaks the signature; base32's last character may hold unused bits."""
    local = OUR_PLUS.partition("@")[0]
    start = local.index("+") + 1

    for at in range(start, len(local) - 1):
        changed = OUR_PLUS[:at] + ("a" if OUR_PLUS[at] != "a" else "b") + OUR_PLUS[at + 1 :]
        assert read_tokens(KEY, addresses=[changed]).conversation_ids == ()


def test_read_tokens_does_not_take_one_kind_for_another():
    """A marker's token in a Message-ID, or cut out of one, proves nothing."""
    token = OUR_MARKER.removeprefix("[ref:").removesuffix(":ref]")
    piece = OUR_ID.partition(".")[2][:42]

    assert read_tokens(KEY, message_ids=[f"h.{token}@acme.example"]).conversation_ids == ()
    assert read_tokens(KEY, texts=[f"[ref:{piece}:ref]"], addresses=[f"a+{piece}@acme.example"]).conversation_ids == ()


def test_read_tokens_survives_what_mail_programs_do():
    """Upper case, line ends around the marker and neighbours of all kinds do no harm."""
    assert read_tokens(KEY, addresses=[OUR_PLUS.upper()]).conversation_ids == (CONVERSATION,)
    assert read_tokens(KEY, message_ids=[OUR_ID.upper()]).message_ids == (MESSAGE,)
    assert read_tokens(KEY, texts=[f"> {OUR_MARKER.replace(':', ': ', 1)}\n"]).conversation_ids == (CONVERSATION,)


def test_sign_message_id_is_the_same_for_a_retry():
    """The same message always gets the same id; another one another."""
    again = sign_message_id(KEY, CONVERSATION, MESSAGE, "acme.example")
    other = sign_message_id(KEY, CONVERSATION, CONVERSATION, "acme.example")

    assert again == OUR_ID
    assert other != OUR_ID
    assert len(OUR_ID) < 120


def test_sign_plus_address_says_when_it_does_not_fit():
    """A local part longer than 64 characters is refused by servers: none is made."""
    assert len(OUR_PLUS.partition("@")[0]) <= 64
    assert sign_plus_address(KEY, CONVERSATION, "a-very-long-department@acme.example") is None


def test_without_token_hides_it():
    """Members see the mailbox, not the token, forged or not; other tags stay."""
    assert without_token(OUR_PLUS) == "support@acme.example"
    assert without_token("ann+news@client.example") == "ann+news@client.example"


def test_signing_without_a_key_is_refused():
    """An empty key would let anybody sign."""
    with pytest.raises(InvalidInput):
        sign_marker(msgspec.structs.replace(KEY, signing_key=b""), CONVERSATION)


@pytest.mark.parametrize("wrong", ["", "x", "12"])
def test_signing_something_else_than_ids_is_refused(wrong):
    """Only UUIDs are signed."""
    with pytest.raises(InvalidInput):
        sign_message_id(KEY, wrong, MESSAGE, "acme.example")
    with pytest.raises(InvalidInput):
        sign_plus_address(KEY, wrong, "support@acme.example")


@pytest.mark.parametrize("letter", ["\u212a", "\u017f"], ids=["kelvin sign", "long s"])
def test_read_tokens_takes_only_our_letters(letter):
    """Letters that only look like ours when case is ignored are no token, and no reason to fail."""
    short, long = letter * 42, letter * 68

    found = read_tokens(
        KEY, addresses=[f"shop+{short}@x.example"], message_ids=[f"h.{long}@x.example"], texts=[f"[ref:{short}:ref]"]
    )

    assert found == Tokens()
