"""Address fields of mails: mailboxes, groups, comments, quoted and encoded names. Pure; never raises, linear time."""

from __future__ import annotations

import re
from contextlib import suppress

from connectors.mime.headers import decode_words, one_line
from connectors.mime.model import ADDRESS_LIMIT_CHARS, NAME_LIMIT_CHARS
from hub.envelope import Identity

_FIELD_LIMIT_CHARS = 256 * 1024
_ADDRESSES_LIMIT = 500
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|$)|([,;:<>()])|([^",;:<>()]+)', re.DOTALL)
_ADDRESS = re.compile(r"[^\s@\"<>(),;:]{1,64}@[^\s@\"<>(),;:]{1,255}")
_QUOTED_LOCAL = re.compile(r"@[^\s@\"<>(),;:]{1,255}")


def read_addresses(field: str) -> list[Identity]:
    """
    Read an address field.

    Args:
        field: Raw and unfolded: From, To, Cc …

    Returns:
        Identities of scheme ``email``, each address once, at most 500; names decoded. Group names, comments and what
        has no address are left out.
    """
    found: dict[str, Identity] = {}
    for name, address in _mailboxes(field[:_FIELD_LIMIT_CHARS]):
        value = normalise_address(address)
        if value and value not in found and len(found) < _ADDRESSES_LIMIT:
            shown = one_line(decode_words(name)).strip("'\" ")[:NAME_LIMIT_CHARS]
            # Some programs repeat the address as the name.
            found[value] = Identity(
                scheme="email", value=value, display_name=shown if shown and shown.casefold() != value else None
            )
    return list(found.values())


def normalise_address(address: str) -> str:
    """
    Bring an address into its canonical form.

    Returns:
        Lower case, the domain in Unicode-free form where it can be; ``""`` for what is no address.
    """
    address = one_line(decode_words(address)).strip("<> .'").lower().removeprefix("mailto:")
    if address.endswith('"'):
        address = address.strip('"')
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or len(address) > ADDRESS_LIMIT_CHARS or " " in domain:
        return ""
    domain = domain.rstrip(".")
    if not domain.isascii():
        with suppress(UnicodeError):
            domain = domain.encode("idna").decode("ascii") if len(domain) <= 63 else domain
    return f"{local}@{domain}"


def is_own(address: str, own: tuple[str, ...]) -> bool:
    """Say whether an address is one of ours, with or without a plus tag."""
    local, _, domain = address.partition("@")
    base = f"{local.partition('+')[0]}@{domain}"
    return any(address == one or base == one for one in map(str.lower, own))


def _mailboxes(field: str) -> list[tuple[str, str]]:
    """One pass over the tokens: no recursion, so a megabyte of parentheses costs no more than one of letters."""
    found: list[tuple[str, str]] = []
    words: list[str] = []
    comments: list[str] = []
    address, depth, in_angle = "", 0, False
    for token in _TOKEN.finditer(field):
        quoted, special, plain = token.groups()
        if special == "(":
            depth += 1
        elif special == ")":
            depth = max(0, depth - 1)
        elif depth:
            comments.append(quoted or plain or special or "")
        elif special == "<":
            in_angle, address = True, ""
        elif special == ">":
            in_angle = False
        elif special in (",", ";") and not in_angle:
            found.append(_mailbox(words, comments, address))
            words, comments, address = [], [], ""
        elif special == ":" and not in_angle and not address:
            words = []  # a group's name
        elif in_angle:
            address += plain or special or (f'"{quoted}"' if quoted is not None else "")
        else:
            words.append(plain or "" if quoted is None else _unquoted(quoted, field, token.end()))
        if len(found) > 2 * _ADDRESSES_LIMIT:
            break
    if depth and not (words or address):
        # A comment that never closes swallowed the rest: read it as plain text.
        words = comments
    found.append(_mailbox(words, comments, address))
    return found


def _unquoted(quoted: str, field: str, end: int) -> str:
    """A quoted string: part of an address where an ``@`` follows, else a name."""
    if _QUOTED_LOCAL.match(field, end):
        return f'"{quoted}"'
    return re.sub(r"\\(.)", r"\1", quoted)


def _mailbox(words: list[str], comments: list[str], address: str) -> tuple[str, str]:
    name = " ".join("".join(words).split())
    address = decode_words(address)
    if "@" in address:
        # A source route (RFC 822) ends before the last colon.
        return name or " ".join(comments), address.rpartition(":")[2].strip()
    if bare := _ADDRESS.search(name):
        rest = (name[: bare.start()] + name[bare.end() :]).strip(" []")
        return rest or " ".join(comments), bare[0]
    return " ".join(comments), name if "@" in name else ""
