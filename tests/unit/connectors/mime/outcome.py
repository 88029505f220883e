"""Compares what ``parse_mail`` returned with what a case of the corpus expects; says every difference."""

from __future__ import annotations


def differences(items, expect) -> list[str]:
    """Return one line per field that is not as expected."""
    if isinstance(items, Exception):
        return [] if expect.get("error") == type(items).__name__ else [f"raised {items!r}"]
    found = {name: _seen(name, items) for name in expect}
    return [
        f"{name}: expected {expect[name]!r}, got {found[name]!r}"
        for name in expect
        if not _same(name, expect[name], found[name])
    ]


def _same(name, expected, seen) -> bool:
    if name.endswith("_has"):
        return isinstance(seen, str) and expected in seen
    if name == "files":
        return len(expected) == len(seen) and all(
            (a[0], a[1]) == (b[0], b[1]) and a[2] in (None, b[2]) for a, b in zip(expected, seen, strict=True)
        )
    return expected == seen


def _seen(name, items):  # noqa: C901  a table
    item = items[0]
    match name:
        case "items":
            return len(items)
        case "kind" | "direction":
            return getattr(item, name).value
        case "sender":
            return item.sender.value if item.sender else None
        case "sender_name":
            return item.sender.display_name
        case "occurred_at":
            return item.occurred_at.isoformat()
        case "files":
            return [(one.filename, one.kind, one.size_bytes) for one in item.attachments]
        case "files_count":
            return len(item.attachments)
        case "refs":
            return [one.ref for one in item.attachments]
        case "cids":
            return [one.inline_cid for one in item.attachments]
        case "to" | "cc":
            return [one.value for one in getattr(item, name)]
        case "to_count":
            return len(item.to)
        case "status":
            return [one.receipt.status.value for one in items]
        case "code":
            return item.receipt.error.code if item.receipt.error else None
        case "klass":
            return item.receipt.error.klass.value if item.receipt.error else None
        case "references":
            return list(item.thread.references)
        case "conversations":
            return list(item.thread.conversation_ids)
        case "hint_subject":
            return item.thread.subject
        case _:
            return getattr(item, name.removesuffix("_has"))
