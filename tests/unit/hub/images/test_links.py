"""Signed addresses of remote images: what they open, and what opens nothing."""

from __future__ import annotations

import pytest

from hub.errors import NotFound
from hub.images.links import LIFETIME_S, STEP_S, URL_LIMIT_BYTES, ImageLinks

KEYS = {1: b"a" * 32, 2: b"b" * 32}
URL = "https://pictures.example/ä.png?who=1&what=2"
NOW_S = 1_800_000_000.0


def test_a_token_says_whose_mail_and_which_image() -> None:
    """It survives a change of keys, and is good for an hour at least."""
    token = ImageLinks({1: KEYS[1]}).sign(7, URL, NOW_S)

    assert token is not None
    link = ImageLinks(KEYS).read(token, NOW_S + LIFETIME_S - 1)
    assert (link.workspace_id, link.url) == (7, URL)


def test_an_address_stays_for_a_while() -> None:
    """A browser's cache finds it again; in the next step it is another."""
    links = ImageLinks(KEYS)
    start_s = NOW_S // STEP_S * STEP_S

    assert links.sign(7, URL, start_s) == links.sign(7, URL, start_s + STEP_S - LIFETIME_S - 1)
    assert links.sign(7, URL, start_s) != links.sign(7, URL, start_s + STEP_S)


def test_changed_foreign_and_ended_tokens_open_nothing() -> None:
    """Each bit counts: workspace, address, end; all are told the same."""
    links = ImageLinks(KEYS)
    good = links.sign(7, URL, NOW_S)
    foreign = ImageLinks({2: b"c" * 32}).sign(7, URL, NOW_S)
    assert good is not None
    assert foreign is not None
    changed = [good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :] for at in range(0, len(good), 3)]

    for token in [*changed, foreign, good[:-1], good + "A", "", "x", "é" * 9, "." * 60]:
        with pytest.raises(NotFound, match="image"):
            links.read(token, NOW_S)
    with pytest.raises(NotFound):
        links.read(good, NOW_S + LIFETIME_S + STEP_S)


def test_an_endless_address_is_not_signed() -> None:
    """Proxies would refuse the call."""
    links = ImageLinks(KEYS)

    assert links.sign(7, "https://a.example/".ljust(URL_LIMIT_BYTES, "x"), NOW_S) is not None
    assert links.sign(7, "https://a.example/".ljust(URL_LIMIT_BYTES + 1, "x"), NOW_S) is None
