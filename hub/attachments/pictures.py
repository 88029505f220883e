"""
Pictures made from untrusted files, in a process of its own that ``keeping.look`` starts with IN, OUT_FOLDER, MIME.

A hostile file may take this process down, never its parent: memory, time and file sizes are limited before a decoder
sees a byte. Prints one JSON line; writes ``original`` (the picture made anew), ``preview`` and ``thumbnail``.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from PIL import Image

MEMORY_BYTES: Final = 1536 * 1024 * 1024
CPU_S: Final = 20
OUTPUT_BYTES: Final = 256 * 1024 * 1024
PIXEL_LIMIT: Final = 64_000_000
THUMBNAIL_PX: Final = 320
PREVIEW_PX: Final = 1600
# An animation beyond these stays as its first picture: making it anew would take longer than anybody waits.
FRAME_LIMIT: Final = 300
ANIMATION_PIXEL_LIMIT: Final = {"GIF": 200_000_000, "WEBP": 40_000_000, "PNG": 100_000_000}

_DECODERS: Final = {
    "image/jpeg": ("JPEG", "MPO"),
    "image/png": ("PNG",),
    "image/gif": ("GIF",),
    "image/webp": ("WEBP",),
    "image/bmp": ("BMP",),
    "image/tiff": ("TIFF",),
    "image/avif": ("AVIF",),
}


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was made of a file.

    Attributes:
        outcome: ``too_large`` has more pixels than are decoded, ``unreadable`` is broken, hostile or protected.
        made: Which of ``original``, ``preview`` and ``thumbnail`` were written.
    """

    outcome: Literal["ok", "too_large", "unreadable"]
    width: int | None = None
    height: int | None = None
    made: tuple[str, ...] = ()


def main(arguments: list[str]) -> None:
    """Limit this process, then look at one file."""
    source, folder, mime = Path(arguments[0]), Path(arguments[1]), arguments[2]
    _limit()
    try:
        looked = _look_at_pdf(source, folder) if mime == "application/pdf" else _look_at_image(source, folder, mime)
    except Exception:  # edge: a decoder may raise anything for a hostile file
        looked = Looked(outcome="unreadable")
    sys.stdout.buffer.write(msgspec.json.encode(looked) + b"\n")
    sys.stdout.flush()


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_BYTES, OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def _look_at_image(source: Path, folder: Path, mime: str) -> Looked:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = PIXEL_LIMIT
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        picture: Image.Image = Image.open(source, formats=_DECODERS[mime])
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return Looked(outcome="too_large")
    made: list[str] = []
    if mime.removeprefix("image/") in ("jpeg", "png", "gif", "webp"):
        size = _make_anew(picture, folder / "original")
        made.append("original")
        picture = Image.open(folder / "original", formats=_DECODERS[mime])
    else:
        upright = ImageOps.exif_transpose(picture)
        size = upright.size
        _shrink(upright, PREVIEW_PX, folder / "preview")
        made.append("preview")
        picture = upright
    _shrink(picture, THUMBNAIL_PX, folder / "thumbnail")
    return Looked(outcome="ok", width=size[0], height=size[1], made=(*made, "thumbnail"))


def _make_anew(picture: Image.Image, target: Path) -> tuple[int, int]:
    """Write the pixels and nothing else: no EXIF, no position, no comment, nothing appended; colours are kept."""
    from PIL import ImageOps

    name = "JPEG" if picture.format in ("JPEG", "MPO") else str(picture.format)
    profile = picture.info.get("icc_profile")
    if _is_moving(picture, name):
        _save_frames(picture, name, target)
        return picture.size
    has_turn = picture.getexif().get(0x0112, 1) != 1
    picture.load()
    upright = ImageOps.exif_transpose(picture) if has_turn else picture
    upright.info = {key: value for key, value in upright.info.items() if key in ("transparency", "dpi", "gamma")}
    if name == "JPEG":
        if upright.mode not in ("RGB", "L", "CMYK"):
            upright = upright.convert("RGB")
        # The same tables lose nothing further; a turned picture has no tables any more.
        quality = "keep" if upright is picture and picture.format == "JPEG" else 90
        upright.save(target, name, quality=quality, icc_profile=profile, comment=b"", exif=b"")
    elif name == "WEBP":
        upright.save(target, name, quality=88, method=3, icc_profile=profile, exif=b"", xmp=b"")
    else:
        upright.save(target, name, icc_profile=profile)
    return upright.size


def _is_moving(picture: Image.Image, name: str) -> bool:
    frames = int(getattr(picture, "n_frames", 1))
    pixels = picture.width * picture.height * frames
    return name != "JPEG" and 1 < frames <= FRAME_LIMIT and pixels <= ANIMATION_PIXEL_LIMIT.get(name, 0)


def _save_frames(picture: Image.Image, name: str, target: Path) -> None:
    from PIL import ImageSequence

    durations: list[int] = []
    frames: list[Image.Image] = []
    loop = int(picture.info.get("loop", 0))
    for frame in ImageSequence.Iterator(picture):
        durations.append(int(frame.info.get("duration", 100)))
        frames.append(frame.convert("RGBA"))
    first, *others = frames
    options: dict[str, object] = {"save_all": True, "append_images": others, "duration": durations, "loop": loop}
    if name == "WEBP":
        options |= {"quality": 75, "method": 0}
    elif name == "GIF":
        options |= {"disposal": 2, "comment": b""}
    first.info = {}
    first.save(target, name, **options)


def _look_at_pdf(source: Path, folder: Path) -> Looked:
    import pypdfium2

    document = pypdfium2.PdfDocument(source)  # type: ignore[no-untyped-call]  # the library has no annotations
    page = document[0]
    width, height = page.get_size()
    scale = min(PREVIEW_PX / max(width, height, 1), 4.0)
    picture = page.render(scale=scale).to_pil().convert("RGB")
    _shrink(picture, PREVIEW_PX, folder / "preview")
    _shrink(picture, THUMBNAIL_PX, folder / "thumbnail")
    return Looked(outcome="ok", made=("preview", "thumbnail"))


def _shrink(picture: Image.Image, side_px: int, target: Path) -> None:
    """Write a WebP no larger than a square; never made larger than it is."""
    picture.draft("RGB", (side_px * 2, side_px * 2))
    picture.load()
    has_alpha = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    small = picture.convert("RGBA" if has_alpha else "RGB")
    small.thumbnail((side_px, side_px))
    small.info = {}
    small.save(target, "WEBP", quality=80, method=3)
