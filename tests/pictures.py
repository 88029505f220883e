"""Pictures and hostile files for tests, made here."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

GPS_IFD = 0x8825
ORIENTATION = 0x0112


def photo(width: int = 640, height: int = 480, *, orientation: int = 6) -> bytes:
    """A phone's photo: turned, with a position, a maker and a comment in it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010F] = "SecretMaker"
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (48.0, 8.0, 6.0), 3: "E", 4: (11.0, 34.0, 2.0)})
    target = io.BytesIO()
    picture = Image.effect_noise((width, height), 40).convert("RGB")
    picture.save(target, "JPEG", exif=exif, comment=b"secret comment", quality=85)
    return target.getvalue()


def encode(picture: Image.Image, name: str, **options: object) -> bytes:
    """A picture in a format."""
    target = io.BytesIO()
    picture.save(target, name, **options)
    return target.getvalue()


def moving(name: str, frames: int = 5) -> bytes:
    """An animation."""
    pictures = [Image.new("RGB", (120, 80), (40 * index, 20, 90)) for index in range(frames)]
    return encode(pictures[0], name, save_all=True, append_images=pictures[1:], duration=80, loop=0)


def pdf(pages: int = 2) -> bytes:
    """A document with a page to look at."""
    pictures = [Image.new("RGB", (300, 400), (200, 30 * index, 30)) for index in range(pages)]
    return encode(pictures[0], "PDF", save_all=True, append_images=pictures[1:])


def bomb(side: int = 60_000) -> bytes:
    """A small PNG that claims to hold thousands of millions of pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
