"""Composed mails: read back by our parser and by Python's own, safe against injection, the same for a retry."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mime.compose import compose_mail, reply_subject
from connectors.mime.model import MailFile, MailSettings
from connectors.mime.parse import parse_mail, read_part
from hub.envelope import Direction, Identity, OutboundMessage
from hub.errors import ConnectorError, ErrorClass
from tests.corpus.mail import CONTEXT, CONVERSATION, KEY, MESSAGE, OUR_ID, OUR_MARKER, OUR_PLUS

SETTINGS = MailSettings(
    address="support@acme.example",
    name="Acme Support",
    signing_key=KEY.signing_key,
    workspace_id=KEY.workspace_id,
    account_id=KEY.account_id,
    date=datetime(2026, 11, 22, 10, 0, tzinfo=UTC),
)
ANN = Identity(scheme="email", value="ann@client.example", display_name="Ann")


def outbound(**changes) -> OutboundMessage:
    message = OutboundMessage(
        message_id=MESSAGE, conversation_id=CONVERSATION, to=ANN, thread_key="t", text="Hello Ann", subject="Offer"
    )
    return msgspec.structs.replace(message, **changes)


def compose(message=None, files=(), **changes):
    return compose_mail(message or outbound(), files, msgspec.structs.replace(SETTINGS, **changes))


def python_reads(content: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def test_compose_mail_reads_back_as_our_echo():
    """Our parser finds recipient, text, subject, conversation and message again."""
    message = outbound(
        text="Grüße 😀\n\nSee https://acme.example/a?b=1&c=2.",
        subject="Angebot für Änne",
        cc=(Identity(scheme="email", value="bob@client.example", display_name="Bob, B."),),
    )

    (item,) = parse_mail(compose(message, body_marker=False).content, CONTEXT)

    assert item.direction is Direction.OUTBOUND
    assert item.text == message.text
    assert item.subject == message.subject
    assert item.sender == ANN
    assert [(one.value, one.display_name) for one in item.cc] == [("bob@client.example", "Bob, B.")]
    assert item.correlation_id == MESSAGE
    assert item.external_id == OUR_ID
    assert item.thread.conversation_ids == (CONVERSATION,)
    assert item.occurred_at == SETTINGS.date
    assert '<a href="https://acme.example/a?b=1&amp;c=2">' in item.html


def test_compose_mail_is_read_by_pythons_parser_without_defects():
    """A reader that is not ours sees the same parts, names and headers."""
    files = [
        MailFile(filename="Übersicht.pdf", mime="application/pdf", content=bytes(range(256)) * 20),
        MailFile(filename="logo.png", mime="image/png", content=b"\x89PNG", inline_cid="logo@acme"),
        MailFile(filename="a" * 200 + ".txt", mime="text/plain", content=b"x\r\n"),
    ]

    seen = python_reads(compose(outbound(subject="Grüße " * 30), files).content)

    assert [part.get_content_type() for part in seen.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
        "application/pdf", "text/plain",
    ]  # fmt: skip
    assert [part.get_filename() for part in seen.iter_attachments()] == ["Übersicht.pdf", "a" * 146 + ".txt"]
    assert seen["subject"].strip() == ("Grüße " * 30).strip()
    assert seen["from"].addresses[0].display_name == "Acme Support"
    assert next(iter(seen.iter_attachments())).get_content() == bytes(range(256)) * 20
    assert not [defect for part in seen.walk() for defect in part.defects]


def test_compose_mail_files_come_back_byte_for_byte():
    """Attachments and pictures survive the way out and in."""
    contents = [bytes(range(256)) * 300, b"", b"\x89PNG\r\n"]
    files = [
        MailFile(filename="a.bin", mime="application/octet-stream", content=contents[0]),
        MailFile(filename="empty.txt", mime="text/plain", content=contents[1]),
        MailFile(filename="p.png", mime="image/png", content=contents[2], inline_cid="p1@acme"),
    ]

    raw = compose(files=files).content
    (item,) = parse_mail(raw, CONTEXT)

    found = {one.filename: read_part(raw, one.ref) for one in item.attachments}
    assert found == {"a.bin": contents[0], "empty.txt": contents[1], "p.png": contents[2]}
    assert [one.inline_cid for one in item.attachments if one.filename == "p.png"] == ["p1@acme"]


def test_compose_mail_threads_by_rfc_5322():
    """References are the parent's and the parent's id; In-Reply-To the parent."""
    message = outbound(references=("<r1@x>", "r2@x", "p@x"), reply_to_external_id="p@x")

    seen = python_reads(compose(message).content)

    assert seen["references"].split() == ["<r1@x>", "<r2@x>", "<p@x>"]
    assert seen["in-reply-to"] == "<p@x>"


def test_compose_mail_keeps_the_root_of_a_long_thread():
    """Of 200 references the first and the newest stay, in order; none is broken by folding."""
    long = tuple(f"{'a' * 100}{n}@client.example" for n in range(200))

    (item,) = parse_mail(compose(outbound(references=long, reply_to_external_id="p@x")).content, CONTEXT)

    assert item.thread.references == ("p@x", *long[:-19:-1], long[0])


def test_compose_mail_is_the_same_for_a_retry():
    """Same message, same bytes; a second message differs."""
    assert compose() == compose()
    assert compose().message_id == OUR_ID
    assert compose(outbound(message_id=str(uuid4()))).message_id != OUR_ID


def test_compose_names_everybody_it_is_addressed_to():
    """Several people in To stand there together, and each is handed to SMTP once."""
    bob = Identity(scheme="email", value="bob@client.example", display_name="Bob")

    mail = compose(outbound(to=ANN, also_to=(bob,), cc=(bob,)))

    to = next(line for line in mail.content.decode().split("\r\n") if line.startswith("To:"))
    assert ANN.value in to
    assert "Bob <bob@client.example>" in to
    assert mail.recipients == (ANN.value, bob.value)


def test_compose_mail_hides_bcc():
    """Bcc is in the envelope and nowhere in the mail; each recipient once."""
    hidden = Identity(scheme="email", value="secret@client.example", display_name="Secret")

    mail = compose(outbound(bcc=(hidden,), cc=(ANN,)))

    assert mail.recipients == ("ann@client.example", "secret@client.example")
    assert b"secret" not in mail.content.lower()


def test_compose_mail_asks_for_answers_where_it_can():
    """Reply-To is the signed plus-address only where the server takes such mail; the marker stands in both texts."""
    plus = python_reads(compose(plus_addressing=True).content)

    assert plus["reply-to"].addresses[0].addr_spec == OUR_PLUS
    assert python_reads(compose().content)["reply-to"] is None
    assert OUR_MARKER in plus.get_body(("plain",)).get_content()
    assert OUR_MARKER in plus.get_body(("html",)).get_content().replace("\n", "")
    assert b"[ref:" not in compose(body_marker=False).content


def test_compose_mail_answer_of_a_customer_finds_its_conversation():
    """Any one of the three carriers is enough: id, address, marker."""
    for header, body in (
        (f"In-Reply-To: <{OUR_ID}>", "Yes"),
        (f"To: {OUR_PLUS}", "Yes"),
        ("X-A: b", f"Yes\n\n> Hello\n> {OUR_MARKER}\n"),
    ):
        raw = f"From: ann@client.example\n{header}\n\n{body}".encode()
        assert parse_mail(raw, CONTEXT)[0].thread.conversation_ids == (CONVERSATION,)


@pytest.mark.parametrize(("reply_to", "value"), [("p@x", "auto-replied"), (None, "auto-generated")])
def test_compose_mail_marks_machines(reply_to, value):
    """AI and automations say what they are; people do not."""
    machine = python_reads(compose(outbound(author_is_human=False, reply_to_external_id=reply_to)).content)

    assert machine["auto-submitted"] == value
    assert python_reads(compose().content)["auto-submitted"] is None


def test_compose_mail_quotes_what_it_answers():
    """The attribution stands before the quote; our parser folds it again."""
    quoted = "On Sun, 22 Nov 2026 at 10:00, Ann <ann@client.example> wrote:\nHow much?\n> older"

    (item,) = parse_mail(compose(outbound(quoted=quoted), body_marker=False).content, CONTEXT)

    assert item.text == "Hello Ann"
    assert item.quoted == "On Sun, 22 Nov 2026 at 10:00, Ann <ann@client.example> wrote:\n> How much?\n>> older"
    assert '<blockquote type="cite"' in item.html


INJECTIONS = {
    "subject": {"subject": "Offer\r\nBcc: eve@evil.example"},
    "to": {"to": Identity(scheme="email", value="ann@client.example\r\nBcc: eve@evil.example")},
    "to spaces": {"to": Identity(scheme="email", value="ann@client.example, eve@evil.example")},
    "cc": {"cc": (Identity(scheme="email", value="a@b.example>\nX: y"),)},
    "no address": {"to": Identity(scheme="email", value="ann")},
    "not ascii": {"to": Identity(scheme="email", value="änne@client.example")},
}


@pytest.mark.parametrize("changes", INJECTIONS.values(), ids=INJECTIONS)
def test_compose_mail_refuses_what_cannot_stand_in_a_header(changes):
    """The delivery fails for its content; nothing is sent."""
    with pytest.raises(ConnectorError) as caught:
        compose(outbound(**changes))

    assert caught.value.info.klass is ErrorClass.CONTENT


HOSTILE = st.text(alphabet=st.sampled_from('ab\r\n\t\x00\x0b\u2028\x85:<>"\\(),;=?_ äß你😀.@'), max_size=80)


@settings(max_examples=150, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_compose_mail_cannot_be_injected(text, subject, name, filename, reference):
    """Whatever is written into text, subject, names and ids: the headers are ours, the lines short and ASCII."""
    message = outbound(
        text=text,
        subject=subject,
        to=msgspec.structs.replace(ANN, display_name=name),
        references=(reference,),
        quoted=text,
    )
    try:
        mail = compose(message, [MailFile(filename=filename, mime=filename, content=text.encode(), inline_cid=None)])
    except ConnectorError as error:
        assert error.info.klass is ErrorClass.CONTENT  # noqa: PT017  a mail or this error, both are right
        return

    assert mail.content.isascii()
    assert max(map(len, mail.content.split(b"\r\n"))) <= 998
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    head = mail.content.partition(b"\r\n\r\n")[0].decode()
    names = re.findall(r"^([^\s:]+):", head, re.MULTILINE)
    assert set(names) <= {
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "X-Message-Token",
        "References",
        "MIME-Version",
        "Content-Type",
    }
    assert len(names) == len(set(names))
    (item,) = parse_mail(mail.content, CONTEXT)
    assert item.sender.value == "ann@client.example"
    assert len(item.attachments) == 1


@settings(max_examples=100, deadline=None)
@given(
    st.text(
        alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]) | st.just(" ") | st.just("\n"),
        max_size=400,
    )
)
def test_compose_mail_keeps_every_text(text):
    """Any text without control characters comes back, whatever encoding was chosen for it."""
    text = "\n".join(line.rstrip() for line in text.replace("\ufeff", "").strip().split("\n"))
    raw = compose(outbound(text=text), body_marker=False).content
    seen = python_reads(raw).get_body(("plain",)).get_content()

    assert seen.replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


def test_reply_subject_has_one_re():
    """Answering an answer does not grow the subject."""
    assert reply_subject("Offer") == "Re: Offer"
    assert reply_subject("RE: Offer") == "RE: Offer"
    assert reply_subject("Re[2]: Offer") == "Re[2]: Offer"
    assert reply_subject(" a \n b ") == "Re: a b"


def test_compose_mail_dates_are_those_of_the_message():
    """The Date header is the caller's, so a retry later does not change the mail."""
    later = SETTINGS.date + timedelta(hours=1)

    assert python_reads(compose(date=later).content)["date"].datetime == later
