"""``format=flowed`` text to paragraphs. Pure. Source: RFC 3676, section 4."""

from __future__ import annotations


def unflow(text: str, *, delete_space: bool) -> str:
    """
    Join the lines a program wrapped.

    Args:
        text: Lines ended by LF.
        delete_space: DelSp=yes: the blank at a line's end was added.

    Returns:
        Paragraphs of one line each; quoted lines keep one ``>`` per level.
    """
    out: list[str] = []
    pending: list[str] = []
    pending_depth = 0
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        # A stuffed line that then begins with ">" keeps its blank: it is no quote.
        content = content if not depth and content.startswith(" >") else content.removeprefix(" ")
        is_flowed = content.endswith(" ") and content != "-- "
        if pending and depth != pending_depth:
            out.append(_line(pending, pending_depth))
            pending = []
        pending.append(content[:-1] if is_flowed and delete_space else content)
        pending_depth = depth
        if not is_flowed:
            out.append(_line(pending, depth))
            pending = []
    if pending:
        out.append(_line(pending, pending_depth))
    return "\n".join(out)


def _line(pieces: list[str], depth: int) -> str:
    joined = "".join(pieces)
    joined = joined if joined == "-- " else joined.rstrip(" ")
    return f"{'>' * depth} {joined}".rstrip() if depth else joined
