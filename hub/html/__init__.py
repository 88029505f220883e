"""HTML of strangers made safe to show. ``sanitise`` for storing or showing, ``document`` for the sandboxed frame."""

from hub.html.sanitiser import LIMIT_BYTES, Proxied, Sanitised, Theme, document, sanitise

__all__ = ["LIMIT_BYTES", "Proxied", "Sanitised", "Theme", "document", "sanitise"]
