"""Whose limits count. Pure; the limits themselves are ``hub.limit_settings``."""

from __future__ import annotations

import msgspec

from hub.limit_settings import Limits


class OwnLimits(msgspec.Struct, frozen=True):
    """A workspace's own limits, and the version whoever changes them has seen; 0 where none were set yet."""

    limits: Limits
    version: int


def over(own: Limits, default: Limits) -> Limits:
    """Put a workspace's own limits over the installation's defaults."""
    return Limits(
        **{
            name: getattr(default, name) if getattr(own, name) is None else getattr(own, name)
            for name in Limits.__struct_fields__
        }
    )
