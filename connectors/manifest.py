"""Reads a channel's ``manifest.toml`` and says exactly what is wrong with it. Called by registry and channels."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import msgspec

from connectors.base import Capabilities, Closed, Field, Manifest, Preset, Softphone
from connectors.raw_items import ITEM_LIMIT_BYTES
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILENAME = "manifest.toml"
ICON = "icon.svg"
# The same pattern as the database's check on channel_account.channel.
_ID = re.compile(r"[a-z][a-z0-9_]{1,39}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# Answered for the people who look after a connector, not for the program.
_NOT_OURS = frozenset({"quality"})


def read_manifest(folder: Path) -> Manifest:
    """
    Read and check the manifest of one channel.

    Args:
        folder: The channel's folder; its name is the channel's id.

    Returns:
        The manifest.

    Raises:
        ConfigurationError: It cannot be used; the text names the folder, ``field`` the place in the file.
    """
    try:
        content = tomllib.loads((folder / FILENAME).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(folder, "", f"cannot be read: {error}") from error
    _check_names(folder, content)
    try:
        manifest = msgspec.convert(content, Manifest)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        field = place.rstrip("`")
        missing = re.search(r"required field `(\w+)`", reason)
        if missing:
            field = ".".join(part for part in (field, missing[1]) if part)
        raise _wrong(folder, field, reason) from error
    _check_values(folder, manifest)
    return manifest


def _check_names(folder: Path, content: Mapping[str, object]) -> None:
    """An option misspelt would silently keep its default: every name must be one we know."""
    _check_keys(folder, "", content, {*Manifest.__struct_fields__, *_NOT_OURS})
    capabilities = content.get("capabilities")
    if isinstance(capabilities, dict):
        _check_keys(folder, "capabilities", capabilities, Capabilities.__struct_fields__)
    softphone = content.get("softphone")
    if isinstance(softphone, dict):
        _check_keys(folder, "softphone", softphone, Softphone.__struct_fields__)
    for group, struct in (("credentials", Field), ("settings", Field), ("presets", Preset), ("closed", Closed)):
        rows = content.get(group)
        for number, one in enumerate(rows if isinstance(rows, list) else []):
            if isinstance(one, dict):
                _check_keys(folder, f"{group}[{number}]", one, struct.__struct_fields__)


def _check_keys(folder: Path, place: str, found: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise _wrong(folder, ".".join(part for part in (place, unknown[0]) if part), "is not a field of a manifest")


def _check_values(folder: Path, manifest: Manifest) -> None:
    if manifest.id != folder.name or not _ID.fullmatch(manifest.id):
        raise _wrong(folder, "id", f"must be the folder's name, in small letters, digits and _, not {manifest.id!r}")
    if not _DAY.fullmatch(manifest.read_on):
        raise _wrong(folder, "read_on", 'must be a day as text, like "2026-11-22"')
    if manifest.capabilities.text_limit < 0:
        raise _wrong(folder, "capabilities.text_limit", "must be 0 or more")
    if not 1 <= manifest.webhook_limit_bytes <= ITEM_LIMIT_BYTES:
        raise _wrong(folder, "webhook_limit_bytes", f"must be from 1 to {ITEM_LIMIT_BYTES}")
    _check_times(folder, manifest)
    for group, inputs in (("credentials", manifest.credentials), ("settings", manifest.settings)):
        _check_inputs(folder, group, inputs)
    settings = {one.name for one in manifest.settings}
    for number, preset in enumerate(manifest.presets):
        if unknown := sorted(set(preset.values) - settings):
            raise _wrong(folder, f"presets[{number}].values", f"{unknown[0]!r} is not a setting of this channel")
    _check_closed(folder, manifest, settings)
    for bucket, limits in manifest.limits.items():
        for number, limit in enumerate(limits):
            if limit.rate <= 0 or limit.per_s <= 0 or limit.burst < 1:
                raise _wrong(folder, f"limits.{bucket}[{number}]", "rate, per_s and burst must be above zero")
    if not (folder / ICON).is_file():
        raise _wrong(folder, ICON, "is missing: the channel's icon belongs next to the manifest")


def _check_closed(folder: Path, manifest: Manifest, settings: set[str]) -> None:
    for number, closed in enumerate(manifest.closed):
        if closed.setting not in settings:
            raise _wrong(folder, f"closed[{number}].setting", f"{closed.setting!r} is not a setting of this channel")
        if closed.draft_url and not closed.draft_url.startswith("https://"):
            raise _wrong(folder, f"closed[{number}].draft_url", "must begin with https://")


def _check_times(folder: Path, manifest: Manifest) -> None:
    if any(pause_s < 1 for pause_s in manifest.retry_after_s):
        raise _wrong(folder, "retry_after_s", "each pause must be 1 second or more")
    capabilities = manifest.capabilities
    if capabilities.window_s < 0 or 0 < capabilities.human_window_s < capabilities.window_s:
        raise _wrong(folder, "capabilities.human_window_s", "must not be shorter than window_s")


def _check_inputs(folder: Path, group: str, inputs: tuple[Field, ...]) -> None:
    names: set[str] = set()
    for number, one in enumerate(inputs):
        place = f"{group}[{number}]"
        if one.name in names:
            raise _wrong(folder, f"{place}.name", f"repeats {one.name!r}")
        names.add(one.name)
        try:
            re.compile(one.pattern)
        except re.error as error:
            raise _wrong(folder, f"{place}.pattern", f"is not a regular expression: {error}") from error
        if (one.kind == "select") != bool(one.options):
            raise _wrong(folder, f"{place}.options", "belongs to a select, and every select needs it")


def _wrong(folder: Path, field: str, reason: str) -> ConfigurationError:
    at = f", {field}" if field else ""
    return ConfigurationError(f"connectors/{folder.name}/{FILENAME}{at}: {reason}.", field=field or None)
