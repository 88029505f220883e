"""What a mail looks like as a row: cutting, headers, subjects."""

from __future__ import annotations

import msgspec
import pytest

from hub.envelope import Party
from hub.inbox import mail
from hub.inbox.model import MessageHeaders


@pytest.mark.parametrize(
    ("subject", "base", "reply"),
    [
        ("Lamp", "Lamp", "Re: Lamp"),
        ("Re: RE: Fwd: Lamp", "Lamp", "Re: Lamp"),
        ("AW: Antw: Straße", "Straße", "Re: Straße"),
        ("  Re:\n Two \t lines ", "Two lines", "Re: Two lines"),
        ("Re:", "", ""),
        ("", "", ""),
        ("Regarding: Lamp", "Regarding: Lamp", "Re: Regarding: Lamp"),
    ],
)
def test_subject_is_shown_without_marks_and_answered_with_one(subject, base, reply):
    """However many marks a subject collected, a list shows none and an answer has one."""
    assert mail.base_subject(subject) == base
    assert mail.reply_subject(subject) == reply
    assert mail.reply_subject(mail.reply_subject(subject)) == reply


def test_subject_key_is_the_same_for_all_answers():
    """Case, blanks and marks of any language do not tell a thread's mails apart."""
    assert mail.subject_key("Broken  LAMP") == mail.subject_key("SV: Re[2]: broken lamp") == "broken lamp"


@pytest.mark.parametrize("filler", ["x", "é", "漢", "😀", "\x02", '"\\'])
@pytest.mark.parametrize("limit_bytes", [20, 100, 5_000])
def test_cut_text_fits_and_says_so(filler, limit_bytes):
    """Neither characters nor bytes as JSON exceed the limit, and what was cut ends with an ellipsis."""
    cut = mail.cut(filler * 3_000, 2_000, limit_bytes)

    assert len(cut) <= 2_000
    assert len(msgspec.json.encode(cut)) <= limit_bytes
    assert cut.endswith(mail.MORE)
    assert mail.cut("short", 2_000, limit_bytes) == "short"


def test_headers_are_cut_to_what_an_event_holds():
    """Hundreds of people with long names are cut to some; a handful is left as it is."""
    few = MessageHeaders(subject="Lamp", to=(Party("Ana", "ana@example.com"),))
    many = tuple(Party("漢" * 100, f"{n}{'a' * 300}@example.com") for n in range(400))

    fitted = mail.fit_headers(MessageHeaders(subject="s" * 5_000, to=many, cc=many, bcc=many))

    assert mail.fit_headers(few) == few
    assert fitted.to
    assert len(msgspec.json.encode(fitted)) <= mail.HEADERS_LIMIT_BYTES
