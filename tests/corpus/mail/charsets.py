"""Charsets, transfer encodings and encoded words, right and wrong."""

from __future__ import annotations

import base64
import quopri

from tests.corpus.mail import case, mail

TEXTS = {
    "utf-8": "Grüße, 你好, Привет 😀", "iso-8859-1": "Grüße à tous", "latin1": "déjà vu", "windows-1252": "„Preis“: 5 €",
    "ISO-8859-15": "5 €", "iso-8859-2": "Zażółć gęślą jaźń", "windows-1250": "Příliš žluťoučký", "koi8-r": "Привет, как дела",
    "windows-1251": "Добрый день", "iso-8859-5": "Здравствуйте", "iso-8859-7": "Καλημέρα", "windows-1253": "Καλησπέρα",
    "iso-8859-9": "İyi günler ğüş", "windows-1254": "Teşekkürler", "iso-8859-8-i": "שלום", "windows-1255": "שלום רב",
    "windows-1256": "مرحبا", "windows-1257": "Labas rytas ąčę", "gb2312": "你好世界", "gbk": "繁體字", "gb18030": "你好",
    "x-gbk": "您的订单", "big5": "您好嗎", "shift_jis": "こんにちは", "x-sjis": "注文について", "iso-2022-jp": "お世話になります",
    "euc-jp": "ありがとう", "euc-kr": "안녕하세요", "ks_c_5601-1987": "주문 문의", "tis-620": "สวัสดี", "utf-16": "Grüße", "cp850": "für",
    "macintosh": "café",
}  # fmt: skip
CODECS = {
    "iso-8859-8-i": "iso8859-8",
    "x-gbk": "gbk",
    "x-sjis": "cp932",
    "ks_c_5601-1987": "cp949",
    "tis-620": "cp874",
    "macintosh": "mac-roman",
}


def plain(body: bytes, content_type: str, encoding: str = "8bit") -> bytes:
    head = mail("", headers=f"MIME-Version: 1.0\nContent-Type: {content_type}\nContent-Transfer-Encoding: {encoding}\n")
    return head.replace("\n", "\r\n").encode() + body


for name, text in TEXTS.items():
    data = text.encode(CODECS.get(name, name))
    body = base64.encodebytes(data)
    case(f"charset-{name.lower()}", plain(body, f'text/plain; charset="{name}"', "base64"), text=text)

case("charset-none-utf8", plain("Grüße".encode(), "text/plain"), text="Grüße")
case("charset-none-latin1", plain("Grüße an alle".encode("latin1"), "text/plain"), text="Grüße an alle")
case("charset-unknown-8bit", plain("Grüße".encode("cp1252"), "text/plain; charset=unknown-8bit"), text="Grüße")
case("charset-unheard-of", plain("Grüße".encode(), "text/plain; charset=x-klingon"), text="Grüße")
case("charset-lies-utf8", plain("Grüße an alle".encode("latin1"), "text/plain; charset=utf-8"), text="Grüße an alle")
case("charset-lies-ascii", plain("Grüße".encode(), "text/plain; charset=us-ascii"), text="Grüße")
case("charset-zip-codec", plain(b"Hello", "text/plain; charset=zip"), text="Hello")
case("charset-idna-codec", plain(b"xn--" + b"a" * 200, "text/plain; charset=idna"), text="xn--" + "a" * 200)
case(
    "charset-unicode-escape",
    plain(rb"\u003cscript\u003e", "text/plain; charset=unicode_escape"),
    text=r"\u003cscript\u003e",
)
case("charset-utf7-untrusted", plain(b"+ADw-script+AD4-", "text/plain; charset=utf-7"), text="+ADw-script+AD4-")
case("charset-utf8-bom", plain(b"\xef\xbb\xbfHallo", "text/plain; charset=utf-8"), text="Hallo")
case("charset-utf8-cut-in-character", plain(("ä" * 40).encode()[:-1], "text/plain; charset=utf-8"), text="ä" * 39 + "�")
case("charset-jp-undeclared", plain("予約".encode("iso2022_jp"), "text/plain"), text="予約")
case("charset-nul-bytes", plain(b"a\x00b\x07c", "text/plain"), text="abc")
case(
    "charset-html-meta",
    plain('<html><meta charset="windows-1251"><p>Добрый день</p>'.encode("cp1251"), "text/html"),
    text="Добрый день",
)
case(
    "encoding-qp",
    plain(quopri.encodestring("Grüße = gut\n".encode()), "text/plain; charset=utf-8", "quoted-printable"),
    text="Grüße = gut",
)
case(
    "encoding-qp-broken",
    plain(b"100=% sure =ZZ caf=C3=A9=\r\n!", "text/plain; charset=utf-8", "quoted-printable"),
    text="100=% sure =ZZ café!",
)
case("encoding-qp-lower-case-hex", plain(b"caf=c3=a9", "text/plain; charset=utf-8", "Quoted-Printable"), text="café")
case("encoding-base64-no-padding", plain(b"SGVsbG8gd29ybGQ", "text/plain", "base64"), text="Hello world")
case("encoding-base64-junk", plain(b"SGVs\r\n*!bG8gd29y\r\nbGQ=\r\n", "text/plain", "BASE64"), text="Hello world")
case("encoding-base64-cut", plain(b"SGVsbG8gd29ybGQhI", "text/plain", "base64"), text="Hello world!")
case("encoding-unknown", plain(b"Hello", "text/plain", "x-rot13"), text="Hello")
case(
    "encoding-uuencode",
    plain(b"begin 644 a.txt\r\n%2&5L;&\\\r\n`\r\nend\r\n", "text/plain", "x-uuencode"),
    text="Hello",
)
case("encoding-with-comment", plain(b"caf=C3=A9", "text/plain; charset=utf-8", "quoted-printable; x=1"), text="café")

WORDS = {
    "q": ("=?utf-8?q?Gr=C3=BC=C3=9Fe_an_alle?=", "Grüße an alle"),
    "b": ("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
    "split-character": ("=?utf-8?b?R3LDvA==?= =?utf-8?b?w58=?=", "Grüß"),
    "cut-in-character": ("=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=", "Grüße"),
    "two-charsets": ("=?iso-8859-1?q?=FC?= =?utf-8?q?=C3=9F?=", "üß"),
    "between-text": ("Re: =?utf-8?q?=C3=BC?= and more", "Re: ü and more"),
    "no-end": ("=?utf-8?b?R3LDvMOfZQ==", "Grüße"),
    "no-padding": ("=?utf-8?b?R3LDvMOfZQ?=", "Grüße"),
    "with-spaces": ("=?utf-8?q?Gr=C3=BC=C3=9Fe an alle?=", "Grüße an alle"),
    "language": ("=?utf-8*de?q?=C3=9C?=", "Ü"),
    "unknown-charset": ("=?x-what?q?abc?=", "abc"),
    "japanese": ("=?iso-2022-jp?B?GyRCJCpDTiRpJDsbKEI=?=", "お知らせ"),
    "in-quotes": ('"=?utf-8?q?=C3=9C?="', '"Ü"'),
    "control-characters": ("=?utf-8?q?a=0D=0ABcc:_x@y?=", "a Bcc: x@y"),
    "nothing-inside": ("=?utf-8?q??= end", "end"),
}
for name, (raw, shown) in WORDS.items():
    case(f"subject-word-{name}", mail(headers=f"Subject: {raw}\n"), subject=shown)
case("subject-raw-utf8", mail(subject="Grüße 你好"), subject="Grüße 你好")
case(
    "subject-raw-latin1",
    mail(subject="XX").encode().replace(b"XX", "Grüße".encode("latin1")).replace(b"\n", b"\r\n"),
    subject="Grüße",
)
case("subject-folded", mail(headers="Subject: one\n two\n\tthree\n"), subject="one two\tthree")
case("subject-missing", mail(headers="Subject:\n"), subject="")
case("subject-very-long", mail(subject="word " * 3000), subject=("word " * 3000)[:1000].rstrip())
