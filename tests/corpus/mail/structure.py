"""Multiparts, files, names, sizes; broken in the ways real mail is."""

from __future__ import annotations

import base64

from tests.corpus.mail import RECEIVED, case, mail

PNG = "iVBORw0KGgo="


def multipart(kind: str, *parts: str, boundary: str = "b1", close: bool = True, parameters: str = "") -> str:
    head = f'MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="{boundary}"{parameters}\n'
    return mail(joined(*parts, boundary=boundary, close=close), headers=head)


def joined(*parts: str, boundary: str = "b1", close: bool = True) -> str:
    return "".join(f"--{boundary}\n{part}\n" for part in parts) + (f"--{boundary}--\n" if close else "")


def inner(kind: str, *parts: str, boundary: str = "b2") -> str:
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n' + joined(*parts, boundary=boundary)


def plain(text: str) -> str:
    return f"Content-Type: text/plain; charset=utf-8\n\n{text}\n"


def html(text: str) -> str:
    return f"Content-Type: text/html; charset=utf-8\n\n{text}\n"


def file(
    name: str = 'name="a.pdf"', mime: str = "application/pdf", disposition: str = "attachment", more: str = ""
) -> str:
    return f"Content-Type: {mime}; {name}\nContent-Disposition: {disposition}\n{more}Content-Transfer-Encoding: base64\n\n{PNG}\n"


PICTURE = file('name="p.png"', "image/png", "inline", "Content-ID: <p1@x>\n")

case(
    "multi-alternative",
    multipart("alternative", plain("Hi"), html("<p>Hi</p>")),
    text="Hi",
    html_has="<p>Hi</p>",
    files=[],
)
case(
    "multi-alternative-html-first", multipart("alternative", html("<p>Hi</p>"), plain("Hi")), text="Hi", html_has="<p>"
)
case(
    "multi-alternative-empty-plain",
    multipart("alternative", plain(""), html("<p>Only <b>here</b></p>")),
    text="Only here",
)
case("multi-mixed-file", multipart("mixed", plain("See file"), file()), text="See file", files=[("a.pdf", "file", 8)])
case(
    "multi-related",
    multipart("related", html('<img src="cid:p1@x">Hi'), PICTURE),
    text="Hi",
    files=[("p.png", "image", 8)],
    cids=["p1@x"],
)
case(
    "multi-related-start",
    multipart("related", PICTURE, "Content-ID: <root>\n" + html("Root"), parameters='; start="<root>"'),
    text="Root",
    files=[("p.png", "image", 8)],
)
case(
    "multi-nested",
    multipart(
        "mixed", inner("alternative", plain("Hi"), inner("related", html("<b>Hi</b>"), PICTURE, boundary="b3")), file()
    ),
    text="Hi",
    files=[("p.png", "image", 8), ("a.pdf", "file", 8)],
    refs=["1.2.2", "2"],
)
case(
    "multi-apple-text-between-files",
    multipart("mixed", plain("Before"), file(), plain("After")),
    text="Before\n\nAfter",
    files=[("a.pdf", "file", 8)],
)
case(
    "multi-list-footer",
    multipart("mixed", html("<p>Body</p>"), plain("-- \nlist footer")),
    text_has="list footer",
    html_has="list footer",
)
case(
    "multi-no-closing-boundary",
    multipart("mixed", plain("Hi"), file(), close=False),
    text="Hi",
    files=[("a.pdf", "file", 8)],
)
case(
    "multi-no-boundary-parameter",
    mail(joined(plain("Hi"), file()), headers="MIME-Version: 1.0\nContent-Type: multipart/mixed\n"),
    text="Hi",
    files=[("a.pdf", "file", 8)],
)
case(
    "multi-wrong-boundary",
    mail(joined(plain("Hi"), file()), headers='MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="other"\n'),
    text="Hi",
)
case(
    "multi-boundary-never-comes",
    mail("Just text\n", headers='MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="gone"\n'),
    text="Just text",
)
case(
    "multi-boundary-with-trailing-blanks",
    mail(
        "--b1  \nContent-Type: text/plain\n\nHi\n--b1--  \n", headers='Content-Type: multipart/mixed; boundary="b1"\n'
    ),
    text="Hi",
)
case(
    "multi-boundary-prefix-of-other",
    mail(
        "--ab\n" + inner("alternative", plain("Hi"), html("<i>Hi</i>"), boundary="abc") + "\n--ab--\n",
        headers='Content-Type: multipart/mixed; boundary="ab"\n',
    ),
    text="Hi",
    html_has="<i>",
)
case("multi-boundary-quoted-odd", multipart("mixed", plain("Hi"), boundary="=_?:(x) y"), text="Hi")
case(
    "multi-preamble-and-epilogue",
    mail(
        "This is MIME.\n" + joined(plain("Hi")) + "epilogue\n", headers='Content-Type: multipart/mixed; boundary="b1"\n'
    ),
    text="Hi",
)
case("multi-empty", mail("", headers='Content-Type: multipart/mixed; boundary="b1"\n'), text="")
case("multi-part-without-headers", multipart("mixed", "\nHi\n"), text="Hi")
case(
    "multi-same-boundary-inside",
    multipart("mixed", inner("alternative", plain("Hi"), boundary="b1"), file()),
    text_has="Hi",
)


def nested(depth: int) -> str:
    part = plain("Deep")
    for level in range(depth, 1, -1):
        part = inner("mixed", part, boundary=f"n{level}")
    return multipart("mixed", part, boundary="n1")


case("multi-depth-10", nested(10), text="Deep")
case("multi-depth-60", nested(60), files_count=1)
case(
    "multi-parts-2000",
    multipart("mixed", *[plain(f"p{n}") for n in range(2000)]),
    text_has="[This message has more parts than can be shown.]",
)
case(
    "multi-digest",
    multipart("digest", "\nFrom: x@y.example\nSubject: one\n\nHi", "\nSubject: two\n\nHo"),
    files=[("one.eml", "file", None), ("two.eml", "file", None)],
)
case(
    "forwarded-rfc822",
    multipart(
        "mixed",
        plain("FYI"),
        "Content-Type: message/rfc822\n\nFrom: x@y.example\nSubject: Old =?utf-8?q?=C3=BC?= one\n\nSecret",
    ),
    text="FYI",
    files=[("Old ü one.eml", "file", None)],
)

case("line-ends-lf", mail("Hi\nthere\n").encode(), text="Hi\nthere")
case("line-ends-cr", mail("Hi\nthere\n").replace("\n", "\r").encode(), text="Hi\nthere", subject="Question")
case(
    "no-blank-line",
    "From: ann@client.example\nSubject: Question\nHello there\n",
    text="Hello there",
    subject="Question",
)
case("no-body", "From: ann@client.example\nSubject: Question\n", text="", subject="Question")
case(
    "mbox-from-line",
    "From ann@client.example Sun Nov 22 10:00:00 2026\n" + mail(),
    text="Hello",
    sender="ann@client.example",
)
case("header-junk-line", mail(headers="X-A: 1\nthis is no header\n"), text="Hello", sender="ann@client.example")
case(
    "header-space-before-colon", mail(headers="Subject : Spaced\n").replace("Subject: Question\n", ""), subject="Spaced"
)
case("header-one-megabyte", mail(headers="X-Spam: " + "a" * 1_000_000 + "\n"), text="Hello", subject="Question")
case("header-megabyte-folded", mail(headers="X-Spam: " + " a b c\n" * 150_000), text="Hello", subject="Question")
case("header-5000-fields", mail(headers="".join(f"X-{n}: y\n" for n in range(1900))), text="Hello", subject="Question")
case(
    "header-10000-recipients",
    mail(headers="To: " + ", ".join(f"p{n}@many.example" for n in range(10_000)) + "\n"),
    text="Hello",
    to_count=500,
)
case("header-nul-and-controls", mail(headers="Subject: a\x00b\x0cc\n"), subject="a b c")

NAMES = {
    "plain": ('name="report.pdf"', "report.pdf"),
    "unquoted": ("name=report.pdf", "report.pdf"),
    "rfc2231": ("name*=utf-8''%C3%9Cbersicht.pdf", "Übersicht.pdf"),
    "rfc2231-pieces": ("name*0*=iso-8859-1''%DCber; name*1=sicht; name*2=.pdf", "Übersicht.pdf"),
    "rfc2231-no-charset": ("name*=''%41.pdf", "A.pdf"),
    "rfc2047": ('name="=?utf-8?q?=C3=9Cbersicht=2Epdf?="', "Übersicht.pdf"),
    "rfc2047-folded": ('name="=?utf-8?b?w5xiZXI=?=\n =?utf-8?b?c2ljaHQucGRm?="', "Übersicht.pdf"),
    "raw-utf8": ('name="Übersicht.pdf"', "Übersicht.pdf"),
    "unix-path": ('name="../../etc/passwd"', "passwd"),
    "windows-path": ('name="C:\\Users\\ann\\a.pdf"', "a.pdf"),
    "control-characters": ('name="a\tb\x01c.pdf"', "a_b c.pdf"),
    "direction-override": ('name="gpj\u202efdp.exe"', "gpjfdp.exe"),
    "dots": ('name="..."', "part-2.pdf"),
    "very-long": (f'name="{"a" * 400}.pdf"', "a" * 146 + ".pdf"),
    "semicolon": ('name="a; b.pdf"', "a; b.pdf"),
    "escaped-quote": ('name="a\\"b.pdf"', "a_b.pdf"),
    "missing": ("x=1", "part-2.pdf"),
    "unclosed-quote": ('name="open.pdf', "open.pdf"),
}
for name, (parameter, shown) in NAMES.items():
    case(f"filename-{name}", multipart("mixed", plain("See"), file(parameter)), files=[(shown, "file", 8)])
case(
    "filename-in-disposition-wins",
    multipart("mixed", plain("x"), file('name="a.pdf"', disposition='attachment; filename="b.pdf"')),
    files=[("b.pdf", "file", 8)],
)
case(
    "file-only",
    mail(PNG, headers='Content-Type: image/png; name="p.png"\nContent-Transfer-Encoding: base64\n'),
    text="",
    files=[("p.png", "image", 8)],
    refs=["1"],
)
case(
    "file-text-inline-named",
    multipart("mixed", plain("x"), 'Content-Type: text/plain; name="log.txt"\nContent-Disposition: inline\n\nlog\n'),
    text="x",
    files=[("log.txt", "file", None)],
)
case(
    "file-text-attached",
    multipart("mixed", plain("x"), "Content-Type: text/plain\nContent-Disposition: attachment\n\nlog\n"),
    text="x",
    files=[("part-2.txt", "file", None)],
)
case("file-audio", multipart("mixed", plain("x"), file('name="v.mp3"', "audio/mpeg")), files=[("v.mp3", "audio", 8)])
case(
    "file-octet-stream-picture",
    multipart("mixed", plain("x"), file('name="v.JPG"', "application/octet-stream")),
    files=[("v.JPG", "image", 8)],
)
case("content-type-broken", mail("Hello\n", headers="Content-Type: text\n"), text="Hello")
case("content-type-empty", mail("Hello\n", headers="Content-Type:\n"), text="Hello")
case("content-type-twice", mail("<p>Hi", headers="Content-Type: text/html\nContent-Type: text/plain\n"), text="Hi")
case("text-enriched", mail("<bold>Hi</bold>", headers="Content-Type: text/enriched\n"), text="<bold>Hi</bold>")
case(
    "text-long",
    mail("word " * 100_000),
    text_has="[The text is longer than can be shown. All of it is attached.]",
    files_count=1,
)
case(
    "html-over-limit",
    mail("<p>word</p>" * 120_000, headers="Content-Type: text/html\n"),
    html=None,
    text_has="word",
    files_count=1,
)

case(
    "flowed",
    mail("This is one \nparagraph.\n\nNext\n-- \nAnn\n", headers="Content-Type: text/plain; format=flowed\n"),
    text="This is one paragraph.\n\nNext\n-- \nAnn",
)
case(
    "flowed-delsp",
    mail("Wort \nteil\n", headers="Content-Type: text/plain; format=flowed; delsp=yes\n"),
    text="Wortteil",
)
case(
    "flowed-stuffed",
    mail(" From here\n >not a quote\n", headers="Content-Type: text/plain; format=flowed\n"),
    text="From here\n >not a quote",
)

DATES = {
    "ok": ("Sun, 22 Nov 2026 10:00:00 +0100", "2026-11-22T09:00:00+00:00"),
    "no-zone": ("Sun, 22 Nov 2026 10:00:00", "2026-11-22T10:00:00+00:00"),
    "named-zone": ("22 Nov 2026 10:00 EST", "2026-11-22T15:00:00+00:00"),
    "missing": ("", RECEIVED.isoformat()),
    "nonsense": ("yesterday at noon", RECEIVED.isoformat()),
    "future": ("Sun, 22 Nov 2099 10:00:00 +0000", RECEIVED.isoformat()),
    "epoch": ("Thu, 1 Jan 1970 00:00:00 +0000", RECEIVED.isoformat()),
    "impossible": ("Sun, 99 Nov 2026 10:00:00 +0000", RECEIVED.isoformat()),
    "year-zero": ("1 Jan 0000 00:00:00 +9999", RECEIVED.isoformat()),
    "huge-zone": ("Sun, 22 Nov 2026 10:00:00 +99999999999999", RECEIVED.isoformat()),
}
for name, (value, moment) in DATES.items():
    case(f"date-{name}", mail(headers=f"Date: {value}\n"), occurred_at=moment)

PEM = base64.encodebytes(b"\x30\x80" * 40).decode()
case(
    "smime-signed",
    multipart(
        "signed",
        plain("Signed text"),
        f'Content-Type: application/pkcs7-signature; name="smime.p7s"\nContent-Transfer-Encoding: base64\n\n{PEM}',
    ),
    text="Signed text",
    files=[],
)
case(
    "smime-encrypted",
    mail(
        PEM,
        headers="Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n",
    ),
    text_has="encrypted",
    files=[("smime.p7m", "file", 80)],
)
case(
    "smime-opaque-signed",
    mail(
        PEM,
        headers="Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n",
    ),
    text_has="wrapped in its signature",
    files_count=1,
)


def _der(tag: int, data: bytes) -> bytes:
    return bytes([tag, 0x84]) + len(data).to_bytes(4, "big") + data


def signed_data(content: bytes, *, pieces: bool) -> str:
    """An opaque signature around a MIME entity: SignedData up to its content, certificates left out."""
    octets = _der(0x04, content)
    if pieces:
        cut = [content[at : at + 50] for at in range(0, len(content), 50)]
        octets = b"\x24\x80" + b"".join(_der(0x04, one) for one in cut) + b"\x00\x00"
    inside = bytes.fromhex("06092a864886f70d010701") + _der(0xA0, octets)
    data = _der(0xA0, _der(0x30, b"\x02\x01\x01\x31\x00" + _der(0x30, inside)))
    der = _der(0x30, bytes.fromhex("06092a864886f70d010702") + data)
    head = "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n"
    return mail(base64.encodebytes(der).decode(), headers=head)


SIGNED = (
    'Content-Type: multipart/mixed; boundary="s1"\n\n' + joined(plain("Signed words"), file(), boundary="s1")
).encode()
TWICE = b"Content-Type: application/pkcs7-mime\n\nx"
case(
    "smime-opaque",
    signed_data(SIGNED, pieces=False),
    text="Signed words",
    files=[("a.pdf", "file", 8)],
    refs=["1/smime:2"],
)
case("smime-opaque-in-pieces", signed_data(SIGNED, pieces=True), text="Signed words", refs=["1/smime:2"])
case("smime-opaque-twice-wrapped", signed_data(TWICE, pieces=False), text_has="wrapped in its signature")
case(
    "pgp-signed",
    multipart(
        "signed", plain("Signed text"), "Content-Type: application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----"
    ),
    text="Signed text",
    files=[],
)
case(
    "pgp-encrypted",
    multipart(
        "encrypted",
        "Content-Type: application/pgp-encrypted\n\nVersion: 1",
        'Content-Type: application/octet-stream; name="encrypted.asc"\n\n-----BEGIN PGP MESSAGE-----',
    ),
    text_has="encrypted",
    files=[("encrypted.asc", "file", None)],
)
case(
    "pgp-inline",
    mail("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n"),
    text_has="It cannot be read here",
)
ICS = "BEGIN:VCALENDAR\nMETHOD:{0}\nBEGIN:VEVENT\nSUMMARY:Planning\\, part 2\nDTSTART;TZID=Europe/Berlin:20261202T100000\nDTEND;TZID=Europe/Berlin:20261202T110000\nLOCATION:Room 5\nEND:VEVENT\nEND:VCALENDAR\n"
for method, word in (("REQUEST", "Invitation"), ("CANCEL", "Cancelled"), ("REPLY", "Answer to an invitation")):
    case(
        f"calendar-{method.lower()}",
        multipart(
            "alternative",
            plain("Please come"),
            f"Content-Type: text/calendar; method={method}; charset=utf-8\n\n{ICS.format(method)}",
        ),
        text=f"Please come\n\n[{word}: Planning, part 2 · 2 Dec 2026 10:00–11:00 (Europe/Berlin) · Room 5]",
        files=[("part-2.ics", "file", None)],
    )
case(
    "calendar-broken",
    multipart("mixed", plain("x"), "Content-Type: text/calendar\n\nBEGIN:VEVENT\nDTSTART:garbage\n"),
    text="x\n\n[Invitation: no title]",
)
