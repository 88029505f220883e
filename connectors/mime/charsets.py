"""Bytes of any charset to text, whatever the mail says about them. Pure; never raises."""

from __future__ import annotations

import codecs
import re

# Charsets as mails name them -> Python codecs. Only these are used: a codec looked up by a foreign name could be
# "zip", "idna" (quadratic) or "unicode_escape". GB2312, Shift_JIS, KS C 5601 and ISO 8859-1 mean their supersets,
# as in browsers. UTF-7 is left out: it hides markup from every filter, and no mail program needs it.
# Source: WHATWG Encoding Standard, section 4.2 (read 2026-11-22).
_CODECS = {
    "utf8": "utf-8", "unicode11utf8": "utf-8", "utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be",
    "utf32": "utf-32",
    "iso88591": "cp1252", "latin1": "cp1252", "l1": "cp1252", "windows1252": "cp1252", "cp1252": "cp1252",
    "ansi": "cp1252", "iso88592": "iso8859-2", "latin2": "iso8859-2", "iso88593": "iso8859-3",
    "iso88594": "iso8859-4", "iso88595": "iso8859-5", "iso88596": "iso8859-6", "iso88597": "iso8859-7",
    "iso88598": "iso8859-8", "iso88598i": "iso8859-8", "iso88598e": "iso8859-8", "iso88599": "cp1254",
    "latin5": "cp1254", "iso885910": "iso8859-10", "iso885911": "cp874", "tis620": "cp874", "windows874": "cp874",
    "iso885913": "iso8859-13", "iso885914": "iso8859-14", "iso885915": "iso8859-15", "latin9": "iso8859-15",
    "iso885916": "iso8859-16", "windows1250": "cp1250", "cp1250": "cp1250", "windows1251": "cp1251",
    "cp1251": "cp1251", "windows1253": "cp1253", "windows1254": "cp1254", "windows1255": "cp1255",
    "windows1256": "cp1256", "windows1257": "cp1257", "windows1258": "cp1258", "koi8r": "koi8-r", "koi8u": "koi8-u",
    "koi8ru": "koi8-u", "cp866": "cp866", "ibm866": "cp866", "cp437": "cp437", "ibm437": "cp437", "cp850": "cp850",
    "ibm850": "cp850", "cp852": "cp852", "cp858": "cp858", "macintosh": "mac-roman", "xmacroman": "mac-roman",
    "xmaccyrillic": "mac-cyrillic", "gb2312": "gb18030", "gbk": "gb18030", "xgbk": "gb18030", "cp936": "gb18030",
    "gb18030": "gb18030", "euccn": "gb18030", "gb231280": "gb18030", "hzgb2312": "hz", "big5": "cp950",
    "xxbig5": "cp950", "big5hkscs": "big5hkscs", "cp950": "cp950", "shiftjis": "cp932", "xsjis": "cp932",
    "sjis": "cp932", "mskanji": "cp932", "windows31j": "cp932", "cp932": "cp932", "eucjp": "euc-jp",
    "xeucjp": "euc-jp", "iso2022jp": "iso2022_jp_ext", "iso2022jp1": "iso2022_jp_1", "iso2022jp2": "iso2022_jp_2",
    "iso2022jp3": "iso2022_jp_3", "csiso2022jp": "iso2022_jp_ext", "euckr": "cp949", "ksc56011987": "cp949",
    "ksc5601": "cp949", "cp949": "cp949", "iso2022kr": "iso2022_kr", "johab": "johab",
}  # fmt: skip
_MULTIBYTE = frozenset({"utf-8", "gb18030", "cp950", "big5hkscs", "cp932", "euc-jp", "cp949"})
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PUNCTUATION = re.compile(r"[^a-z0-9]")
_JAPANESE_ESCAPE = re.compile(rb"\x1b\$[@B]|\x1b\(J")


def decode_text(data: bytes, charset: str | None) -> str:
    """
    Decode by the declared charset, else UTF-8, else windows-1252.

    Args:
        data: Any bytes.
        charset: As declared, any spelling, or None.

    Returns:
        Text; bytes that fit nowhere become U+FFFD.
    """
    if charset is None and data.isascii() and b"\x1b" not in data:
        return data.decode("ascii")
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data.decode(name, "replace").lstrip("\ufeff")
    declared = codec_of(charset)
    if declared is not None and (text := _strict(data, declared)) is not None:
        return text
    if declared is None and _JAPANESE_ESCAPE.search(data) and (text := _strict(data, "iso2022_jp_ext")) is not None:
        return text
    if (text := _strict(data, "utf-8")) is not None:
        return text
    return _lenient(data, declared)


def codec_of(charset: str | None) -> str | None:
    """Say which Python codec reads a charset as mails name it; None for none, unknown and untrusted ones."""
    if not charset:
        return None
    return _CODECS.get(_PUNCTUATION.sub("", charset[:40].lower().partition("*")[0]))


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeError:
        return None


def _lenient(data: bytes, declared: str | None) -> str:
    """A text cut in the middle of a character is still of its charset; a text wrong all over is not."""
    for codec in dict.fromkeys((declared or "utf-8", "utf-8")):
        if codec in _MULTIBYTE:
            text = data.decode(codec, "replace")
            bad = text.count("\ufffd")
            if sum(not char.isascii() for char in text) - bad >= 10 * bad:
                return text
    if declared is not None and declared not in _MULTIBYTE:
        return data.decode(declared, "replace")
    return data.decode("cp1252", "replace")
