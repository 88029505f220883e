"""
Finds the answered mail below (or above) an answer. Pure; never loses text: new part + quoted part is the whole.

Where it is not sure, all stays in the new part: a folded answer is worse than an unfolded quote.
"""

from __future__ import annotations

import re

from connectors.mime.html_text import QUOTE_CLOSE, QUOTE_OPEN

_ATTRIBUTION_LIMIT_CHARS = 400
_STARTS = re.compile(
    r"^(?:on|am|le|el|il|op|em|den|dne|dnia|w dniu|em|în|pe|на|в|στις|tarihinde|vào|"
    r"pada|2\d{3}[-年/.])\b",
    re.IGNORECASE,
)
# How mail programs say "wrote", with the names and dates around it.
_VERBS = re.compile(
    r"\b(?:wrote|schrieb|geschrieben|a écrit|escribió|ha scritto|schreef|geschreven|"
    r"escreveu|skrev|skreiv|kirjoitti|"
    r"napisał(?:\(a\)|a)?|napsal(?:\(a\)|a)?|napísal(?:\(a\)|a)?|írta|a scris|"
    r"je (?:napisao|napisal)|написал(?:\(а\)|а)?|"
    r"пишет|написав|έγραψε|yazdı|menulis|đã viết|va escriure)\b|"
    r"写道|寫道|书写|のメール|書きました|님이 작성|작성:|כתב|كتب",
    re.IGNORECASE,
)
_ORIGINAL = re.compile(
    r"^[>\s]*[-_‐–—*]{2,}\s*(?:original message|original appointment|"
    r"ursprüngliche nachricht|original-nachricht|"
    r"originalnachricht|message d['’]origine|message original|mensaje original|"
    r"messaggio originale|oorspronkelijk bericht|"
    r"mensagem original|opprinnelig melding|oprindelig meddelelse|"
    r"ursprungligt meddelande|alkuperäinen viesti|"
    r"wiadomość oryginalna|oryginalna wiadomość|původní zpráva|исходное сообщение|"
    r"original melding|eredeti üzenet|"
    r"orijinal mesaj|原始邮件|原始郵件|元のメッセージ|원본 메시지|"
    r"reply message|reply above this line)\s*[-_‐–—*]{2,}\s*$",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"^[>\s]*(?:[-_‐–—]{2,}\s*)?(?:forwarded message|begin forwarded message|"
    r"weitergeleitete nachricht|message transféré|"
    r"message réexpédié|début du message (?:réexpédié|transféré)|mensaje reenviado|"
    r"inicio del mensaje reenviado|"
    r"messaggio inoltrato|inizio messaggio inoltrato|doorgestuurd bericht|"
    r"begin doorgestuurd bericht|mensagem encaminhada|"
    r"vidarebefordrat meddelande|videresendt (?:besked|melding)|välitetty viesti|wiadomość przekazana|"
    r"пересылаемое сообщение|anfang der weitergeleiteten (?:nachricht|e-mail)|转发的邮件|転送されたメッセージ)\b",
    re.IGNORECASE,
)
_FROM = r"from|von|de|da|van|från|fra|lähettäjä|od|от|发件人|寄件者|差出人|보낸 사람|gönderen|feladó"
_SENT = (
    r"sent|date|gesendet|datum|envoyé|enviado(?: el)?|inviato|data|fecha|verzonden|"
    r"skickat|sendt|dato|lähetetty|päiväys|"
    r"wysłano|odesláno|отправлено|дата|发送时间|寄件日期|日期|"
    r"送信日時|日付|날짜|보낸 날짜|gönderildi|tarih"
)
_TO = (
    r"to|an|à|para|a|aan|till|til|vastaanottaja|do|komu|"
    r"кому|收件人|宛先|받는 사람|kime|"
    r"subject|betreff|objet|asunto|"
    r"oggetto|onderwerp|assunto|ämne|emne|aihe|temat|předmět|тема|主题|主旨|件名|제목|konu|cc|kopie"
)
_HEADER_FROM, _HEADER_SENT, _HEADER_TO = (
    re.compile(rf"^[>\s*]*(?:{names})\s?\*?\s?[:：]", re.IGNORECASE) for names in (_FROM, _SENT, _TO)
)
_RULE = re.compile(r"^\s*_{10,}\s*$")
_DATE_OR_ADDRESS = re.compile(r"\d|@")
_FIRM_ATTRIBUTION = re.compile(r"\d{1,2}[:.h]\d{2}|\d{4}|@")
_MOBILE = re.compile(
    r"^(?:sent from|von meinem|gesendet von|envoyé de|enviado desde|get outlook|inviato da|-- ?$)", re.IGNORECASE
)


def split_quoted(text: str, *, is_forward: bool = False) -> tuple[str, str]:
    """
    Separate what is new in a mail from what it answers.

    Args:
        text: The whole text, lines ended by LF; may hold the quote marks of ``html_to_text``.
        is_forward: Whether the subject says that a mail is passed on: nothing is cut then.

    Returns:
        The new part and the quoted part, which may be empty. A mail that is nothing but a quote stays whole.
    """
    if QUOTE_OPEN in text:
        return _split_marked(text, is_forward=is_forward)
    lines = text.split("\n")
    if is_forward:
        return text.strip("\n"), ""
    at = _find_start(lines)
    if at is None:
        return text.strip("\n"), ""
    new, rest = "\n".join(lines[:at]).strip(), lines[at:]
    if _below(rest):
        # Answers between the quoted lines lose their sense without them.
        return _split_top_quote(lines, at) if not new else (text.strip("\n"), "")
    if not new:
        return text.strip("\n"), ""
    return new, "\n".join(rest).strip()


def _split_marked(text: str, *, is_forward: bool) -> tuple[str, str]:
    """Split at the place where the sender's own program said that the quote begins."""
    before, _, rest = text.partition(QUOTE_OPEN)
    inside, _, after = rest.partition(QUOTE_CLOSE)
    plain = re.sub(r"\n{3,}", "\n\n", text.replace(QUOTE_OPEN, "").replace(QUOTE_CLOSE, "")).strip()
    lead = [line for line in inside.split("\n") if line.strip()][:2]
    tail = [line for line in before.split("\n") if line.strip()][-1:]
    if is_forward or any(map(_FORWARDED.match, lead + tail)) or not inside.strip():
        return plain, ""
    head = before.rstrip().split("\n")
    start = _attribution_start(head, len(head) - 1)
    if start is not None:
        before, inside = "\n".join(head[:start]), "\n".join(head[start:]) + "\n\n" + inside.lstrip("\n")
    if after.strip(" \n" + QUOTE_OPEN + QUOTE_CLOSE):
        # A signature under the quote is the answer's; text under it means that the answer is there too.
        return (plain, "") if before.strip() else (_unmarked(after), inside.strip())
    if not before.strip():
        return plain, ""
    return _unmarked(before), _unmarked(inside)


def _unmarked(text: str) -> str:
    return text.replace(QUOTE_OPEN, "").replace(QUOTE_CLOSE, "").strip()


def _find_start(lines: list[str]) -> int | None:
    for at, line in enumerate(lines):
        stripped = line.strip()
        if not stripped:
            continue
        if _FORWARDED.match(line):
            return None
        if _ORIGINAL.match(line):
            return at
        if _RULE.match(line) and _is_header_block(lines, at + 1):
            return at
        if _HEADER_FROM.match(line) and _is_header_block(lines, at):
            return at
        if stripped[-1] in ":：" and (start := _attribution_start(lines, at)) is not None:
            joined = " ".join(lines[start : at + 1])
            if _next_is_quote(lines, at + 1) or _FIRM_ATTRIBUTION.search(joined):
                return start
        if line.startswith(">") and _all_quoted(lines, at):
            return at
    return None


def _attribution_start(lines: list[str], at: int) -> int | None:
    """Return where an attribution ("On … wrote:") that ends in a line begins; it may be wrapped over three lines."""
    if at < 0 or not lines[at].rstrip().endswith((":", "：")):
        return None
    shortest: int | None = None
    for start in range(at, max(-1, at - 3), -1):
        if not lines[start].strip() or (start < at and lines[start].rstrip().endswith((".", "!", "?"))):
            break
        joined = " ".join(line.strip() for line in lines[start : at + 1])
        if len(joined) > _ATTRIBUTION_LIMIT_CHARS:
            break
        if _VERBS.search(joined) and _DATE_OR_ADDRESS.search(joined):
            shortest = start if shortest is None else shortest
            if _STARTS.match(lines[start].strip("> *\t")):
                return start
    return shortest


def _is_header_block(lines: list[str], at: int) -> bool:
    """Outlook's block: From, then within seven lines Sent and To or Subject."""
    block = [line for line in lines[at : at + 10] if line.strip()][:7]
    if not block or not _HEADER_FROM.match(block[0]):
        return False
    return any(map(_HEADER_SENT.match, block[1:])) and any(map(_HEADER_TO.match, block[1:]))


def _next_is_quote(lines: list[str], at: int) -> bool:
    following = next((line for line in lines[at : at + 4] if line.strip()), "")
    return following.startswith(">")


def _all_quoted(lines: list[str], at: int) -> bool:
    return all(line.startswith(">") or not line.strip() for line in lines[at:])


def _below(rest: list[str]) -> bool:
    """Whether text of the answer stands under ``>`` lines (signatures of phones do not count)."""
    last = max((at for at, line in enumerate(rest) if line.startswith(">")), default=None)
    if last is None:
        return False
    after = [line for line in rest[last + 1 :] if line.strip()]
    return bool(after) and _MOBILE.match(after[0]) is None


def _split_top_quote(lines: list[str], at: int) -> tuple[str, str]:
    """Answers under one block of ``>`` lines: the block is the quote. Answers between several stay as they are."""
    quoted = [number for number, line in enumerate(lines) if line.startswith(">")]
    first, last = quoted[0], quoted[-1]
    if any(line.strip() and not line.startswith(">") for line in lines[first:last]):
        return "\n".join(lines).strip("\n"), ""
    return "\n".join(lines[last + 1 :]).strip(), "\n".join(lines[at : last + 1]).strip()
