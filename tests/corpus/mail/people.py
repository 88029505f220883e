"""Who writes to whom, machines, and what a mail says about its conversation."""

from __future__ import annotations

from uuid import UUID

from connectors.mime.tokens import TokenKey, sign_marker, sign_message_id, sign_plus_address
from tests.corpus.mail import CONVERSATION, KEY, MESSAGE, OUR_ID, OUR_MARKER, OUR_PLUS, case, mail

FROM = {
    "plain": ("ann@client.example", "ann@client.example", None),
    "angle": ("Ann Lee <Ann@Client.Example>", "ann@client.example", "Ann Lee"),
    "quoted": ('"Lee, Ann" <ann@client.example>', "ann@client.example", "Lee, Ann"),
    "escaped": ('"Ann \\"A\\" Lee" <ann@client.example>', "ann@client.example", 'Ann "A" Lee'),
    "comment": ("ann@client.example (Ann Lee)", "ann@client.example", "Ann Lee"),
    "encoded": ("=?utf-8?q?J=C3=B6rg?= <j@client.example>", "j@client.example", "Jörg"),
    "encoded-in-quotes": ('"=?utf-8?q?J=C3=B6rg=2C_M=2E?=" <j@client.example>', "j@client.example", "Jörg, M."),
    "encoded-with-address": ("=?utf-8?b?SsO2cmc=?= <=?utf-8?q?j=40client=2Eexample?=>", "j@client.example", "Jörg"),
    "raw-utf8": ("Jörg <j@client.example>", "j@client.example", "Jörg"),
    "name-is-address": ('"ann@client.example" <ann@client.example>', "ann@client.example", None),
    "name-is-other-address": ('"boss@bank.example" <ann@client.example>', "ann@client.example", "boss@bank.example"),
    "two": ("a@client.example, b@client.example", "a@client.example", None),
    "group": ("Team: a@client.example, b@client.example;", "a@client.example", None),
    "route": ("<@relay.example:ann@client.example>", "ann@client.example", None),
    "quoted-local": ('"ann lee"@client.example', '"ann lee"@client.example', None),
    "no-closing-angle": ("Ann <ann@client.example", "ann@client.example", "Ann"),
    "trailing-dot": ("ann@client.example.", "ann@client.example", None),
    "idn": ("ann@bücher.example", "ann@xn--bcher-kva.example", None),
    "apostrophes": ("'Ann' <ann@client.example>", "ann@client.example", "Ann"),
    "folded": ("Ann\n <ann@client.example>", "ann@client.example", "Ann"),
    "parentheses": ("(" * 50_000 + "ann@client.example", "unknown-", None),
}  # fmt: skip
for name, (field, address, shown) in FROM.items():
    if name != "parentheses":
        case(f"from-{name}", mail(headers=f"From: {field}\n"), sender=address, sender_name=shown)
case("from-parentheses", mail(headers=f"From: {'(' * 50_000}ann@client.example\n"), kind="message", text="Hello")
case("from-empty-quotes-in-comment", mail(headers='From: ann@client.example (a "" b)\n'), sender="ann@client.example")
case("from-colon-after-address", mail(headers="From: <ann@client.example> a:b\n"), sender="ann@client.example")
case("from-missing", mail(headers="From:\nReply-To: ann@client.example\n"), sender="ann@client.example")
case("from-nobody", mail(headers="From: Printer on floor 2\n"), sender_name="Printer on floor 2", text="Hello")
case("from-twice", mail(headers="From: ann@client.example\nFrom: eve@evil.example\n"), sender="ann@client.example")
case("from-first-broken", mail(headers="From: <>\nFrom: ann@client.example\n"), sender="ann@client.example")
case(
    "to-groups",
    mail(headers="To: undisclosed-recipients:;\nCc: Team: a@x.example, b@x.example;, c@x.example\n"),
    to=[],
    cc=["a@x.example", "b@x.example", "c@x.example"],
)
case(
    "to-several",
    mail(headers='To: "Acme, Support" <support@acme.example>, bob@x.example\n'),
    to=["support@acme.example", "bob@x.example"],
)
case("not-a-mail", b"\x00\x01\x02 binary", error="MalformedPayload")
case("empty", b"", error="MalformedPayload")
case("only-blank-lines", b"\r\n\r\n\r\n", error="MalformedPayload")
case("only-text", b"just a line without any header\r\nand another\r\n", error="MalformedPayload")

case(
    "own-sent",
    mail(headers="From: Acme <support@acme.example>\nTo: Ann <ann@client.example>\n"),
    direction="outbound",
    sender="ann@client.example",
    auto_submitted=True,
)
case(
    "own-sent-plus",
    mail(headers=f"From: {OUR_PLUS}\nTo: ann@client.example\n"),
    direction="outbound",
    sender="ann@client.example",
)
case(
    "own-sent-cc",
    mail(headers="From: support@acme.example\nTo: sales@acme.example\nCc: ann@client.example\n"),
    direction="outbound",
    sender="ann@client.example",
)
case(
    "own-sent-by-us",
    mail(headers=f"From: support@acme.example\nTo: ann@client.example\nMessage-ID: <{OUR_ID}>\n"),
    direction="outbound",
    correlation_id=MESSAGE,
    conversations=[CONVERSATION],
)
case(
    "own-sent-rewritten-id",
    mail(
        headers=f"From: support@acme.example\nTo: ann@client.example\nMessage-ID: <0100@email.amazonses.com>\nX-Message-Token: <{OUR_ID}>\n"
    ),
    correlation_id=MESSAGE,
    external_id="0100@email.amazonses.com",
)
case(
    "own-to-self",
    mail(headers="From: support@acme.example\nTo: sales@acme.example\n"),
    direction="inbound",
    sender="support@acme.example",
    auto_submitted=True,
)
case(
    "own-web-form",
    mail(headers="From: support@acme.example\nTo: support@acme.example\nReply-To: Visitor <v@client.example>\n"),
    direction="inbound",
    sender="v@client.example",
)
case("stranger-with-our-id", mail(headers=f"Message-ID: <{OUR_ID}>\n"), direction="inbound", correlation_id=None)

AUTO = {
    "exchange": ("Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\n", "Automatic reply: Question"),
    "gmail": ("Auto-Submitted: auto-replied\nPrecedence: bulk\nX-Autoreply: yes\n", "Re: Question"),
    "apple": ("Auto-Submitted: auto-replied\n", "Out of Office Re: Question"),
    "zimbra": ("Auto-Submitted: auto-replied (zimbra; vacation)\nPrecedence: bulk\n", "Out of Office: Question"),
    "vacation-unix": ("Precedence: junk\n", "away from my mail"),
    "lotus": ("", "Ann Lee is out of the office. Out of Office"),
    "german": ("", "Abwesenheitsnotiz: Anfrage"),
    "french": ("", "Réponse automatique : demande"),
    "spanish": ("", "Respuesta automática: consulta"),
    "japanese": ("", "自動応答: 出張中"),
    "list": ("List-Id: <news.example>\nPrecedence: list\n", "[news] Hello"),
    "newsletter": ("List-Unsubscribe: <mailto:u@x.example>\n", "November news"),
    "null-path": ("Return-Path: <>\n", "Hm"),
    "noreply": ("From: no-reply@shop.example\n", "Your order"),
    "daemon": ("From: MAILER-DAEMON@mx.example\n", "Hm"),
    "suppress-oof": ("X-Auto-Response-Suppress: OOF, AutoReply\n", "Ticket"),
}
for name, (fields, subject) in AUTO.items():
    expected = name != "lotus"
    case(f"auto-{name}", mail(headers=fields, subject=subject), auto_submitted=expected, kind="message")
PEOPLE = {
    "plain": "", "auto-no": "Auto-Submitted: no\n", "precedence-normal": "Precedence: first-class\n",
    "suppress-none": "X-Auto-Response-Suppress: None\n", "return-path": "Return-Path: <ann@client.example>\n",
}  # fmt: skip
for name, fields in PEOPLE.items():
    case(f"person-{name}", mail(headers=fields), auto_submitted=False)

FORGED = sign_message_id(TokenKey(b"another key", 7, KEY.account_id), CONVERSATION, MESSAGE, "acme.example")
OTHER_WORKSPACE = sign_message_id(TokenKey(KEY.signing_key, 8, KEY.account_id), CONVERSATION, MESSAGE, "acme.example")
OTHER_ACCOUNT = sign_plus_address(TokenKey(KEY.signing_key, 7, str(UUID(int=5))), CONVERSATION, "support@acme.example")
OTHER = str(UUID(int=77))
OTHER_PLUS = sign_plus_address(KEY, OTHER, "support@acme.example")
case(
    "thread-in-reply-to",
    mail(headers="In-Reply-To: <a@x>\nReferences: <r@x> <b@x>\n", subject="Re: Question"),
    references=["a@x", "b@x", "r@x"],
    hint_subject="question",
    conversations=[],
)
case("thread-references-only", mail(headers="References: <r@x>\n\t<b@x>\n"), references=["b@x", "r@x"], hint_subject="")
case("thread-references-own-id", mail(headers="References: <one@client.example>\n"), references=[])
case(
    "thread-references-encoded", mail(headers="References: =?utf-8?q?=3Ca=40x=3E?= <b@x>\n"), references=["b@x", "a@x"]
)
case(
    "thread-references-200",
    mail(headers="References: " + " ".join(f"<r{n}@x>" for n in range(200)) + "\n"),
    references=[f"r{n}@x" for n in range(199, 149, -1)],
)
case("thread-in-reply-to-words", mail(headers="In-Reply-To: Your mail of Monday <a@x>\n"), references=["a@x"])
case("thread-in-reply-to-bare", mail(headers="In-Reply-To: a@x.example\n"), references=["a@x.example"])
case("thread-signed-id", mail(headers=f"In-Reply-To: <{OUR_ID}>\n"), conversations=[CONVERSATION], references=[OUR_ID])
case("thread-signed-id-upper-case", mail(headers=f"In-Reply-To: <{OUR_ID.upper()}>\n"), conversations=[CONVERSATION])
case("thread-signed-plus", mail(headers=f"To: {OUR_PLUS}\n"), conversations=[CONVERSATION], to=["support@acme.example"])
case("thread-signed-plus-delivered-to", mail(headers=f"Delivered-To: {OUR_PLUS}\n"), conversations=[CONVERSATION])
case(
    "thread-plus-before-id",
    mail(headers=f"To: {OTHER_PLUS}\nIn-Reply-To: <{OUR_ID}>\n"),
    conversations=[OTHER, CONVERSATION],
)
case("thread-marker", mail(f"Thanks\n\n> {OUR_MARKER}\n"), conversations=[CONVERSATION])
case(
    "thread-marker-in-html",
    mail(f"<p>Thanks</p><blockquote type=cite>{OUR_MARKER}</blockquote>", headers="Content-Type: text/html\n"),
    conversations=[CONVERSATION],
)
case("thread-forged-id", mail(headers=f"In-Reply-To: <{FORGED}>\n"), conversations=[], references=[FORGED])
case("thread-other-workspace", mail(headers=f"In-Reply-To: <{OTHER_WORKSPACE}>\n"), conversations=[])
case("thread-other-account-plus", mail(headers=f"To: {OTHER_ACCOUNT}\n"), conversations=[])
case("thread-damaged-marker", mail(sign_marker(KEY, CONVERSATION).replace("[ref:", "[ref:a")), conversations=[])
SUBJECTS = {
    "re": "Re: Offer", "re-number": "RE[2]: Offer", "fwd": "Fwd: Offer", "aw": "AW: Offer", "sv": "SV: Offer", "wg": "WG: AW: Offer",
    "twice": "Re: RE: re: Offer", "chinese": "回复：Offer", "italian": "R: Offer", "polish": "Odp: Offer", "russian": "Отв: Offer",
    "spaced": "Re : Offer", "tagged": "[EXTERNAL] Re: Offer", "hebrew": "השב: Offer",
}  # fmt: skip
for name, subject in SUBJECTS.items():
    case(f"subject-answer-{name}", mail(subject=subject), hint_subject="offer")
for name, subject in {
    "plain": "Offer",
    "word": "Release: Offer",
    "regarding": "Regarding: x",
    "empty": "",
    "iron": "Iron: x",
}.items():
    case(f"subject-new-{name}", mail(headers=f"Subject: {subject}\n"), hint_subject="")
case("id-missing", mail(headers="Message-ID:\n"), external_id=None)
case("id-broken-bracket", mail(headers="Message-ID: <[abc@d>\n"), key="[abc@d", external_id="[abc@d")
case("id-no-at", mail(headers="Message-ID: <12345>\n"), external_id=None)
case("id-bare", mail(headers="Message-ID: abc@d.example\n"), external_id="abc@d.example")
case("id-very-long", mail(headers=f"Message-ID: <{'a' * 600}@x>\n"), external_id=None)
case("id-with-blanks", mail(headers="Message-ID: < abc@d.example >\n"), external_id="abc@d.example")
case("id-two", mail(headers="Message-ID: <a@x> <b@x>\n"), external_id=None)
