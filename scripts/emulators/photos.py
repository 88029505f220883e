"""Draws the pictures the demo's customers send: simple rooms and damaged things, the same for the same seed. Pure."""

from __future__ import annotations

import io
import math
from random import Random

from PIL import Image, ImageDraw, ImageFilter

SIZE = (800, 600)
_WALLS = ((214, 205, 190), (196, 208, 205), (222, 214, 221), (205, 201, 187))
_WOODS = ((150, 104, 66), (176, 132, 90), (120, 84, 58))

Color = tuple[int, int, int]


def draw_photo(what: str, seed: str) -> bytes:
    """
    Draw a picture.

    Args:
        what: ``broken lamp``, ``living room``, ``screws``, ``chair leg`` or ``wine stain``; anything else is a room.
        seed: Chooses colors and places.

    Returns:
        A JPEG of 800 × 600.
    """
    rng = Random(f"photo:{what}:{seed}")  # noqa: S311  a drawing, not a secret
    picture = Image.new("RGB", SIZE, rng.choice(_WALLS))
    pen = ImageDraw.Draw(picture)
    _floor(pen, rng)
    {
        "broken lamp": _lamp,
        "screws": _screws,
        "chair leg": _chair_leg,
        "wine stain": _stain,
    }.get(what, _room)(pen, rng)
    picture = picture.filter(ImageFilter.GaussianBlur(1.1))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=82)
    return data.getvalue()


def _floor(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    wood = rng.choice(_WOODS)
    for row in range(430, 600, 34):
        shade = rng.randint(-14, 14)
        pen.rectangle((0, row, 800, row + 33), fill=_shift(wood, shade))
        for _ in range(4):
            x = rng.randint(0, 800)
            pen.line((x, row, x, row + 33), fill=_shift(wood, -30), width=2)
    pen.rectangle((0, 420, 800, 432), fill=(238, 234, 226))


def _lamp(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    x = rng.randint(320, 460)
    pen.ellipse((x - 80, 500, x + 80, 540), fill=(60, 58, 56))
    pen.line((x, 520, x, 240), fill=(70, 68, 66), width=12)
    pen.polygon(((x - 70, 90), (x + 70, 90), (x + 130, 260), (x - 130, 260)), fill=(236, 214, 160))
    crack = [(x - 20, 90)]
    for step in range(1, 8):
        crack.append((x - 20 + rng.randint(-26, 30), 90 + step * 170 // 7))
    pen.line(crack, fill=(92, 70, 40), width=5)
    pen.polygon(((x + 60, 180), (x + 112, 214), (x + 70, 258)), fill=(205, 198, 184))
    for _ in range(7):
        sx, sy = x + rng.randint(-200, 220), rng.randint(540, 590)
        pen.polygon(
            ((sx, sy), (sx + rng.randint(8, 26), sy - rng.randint(4, 14)), (sx + 14, sy + 8)), fill=(236, 214, 160)
        )


def _room(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    pen.rectangle((90, 80, 300, 280), fill=(172, 206, 228), outline=(245, 243, 238), width=12)
    pen.line((195, 80, 195, 280), fill=(245, 243, 238), width=8)
    fabric = rng.choice(((92, 116, 98), (70, 84, 110), (164, 110, 84)))
    pen.rounded_rectangle((240, 300, 700, 420), 30, fill=_shift(fabric, 12))
    pen.rounded_rectangle((220, 380, 720, 500), 26, fill=fabric)
    for x in (250, 410, 570):
        pen.rounded_rectangle((x, 370, x + 140, 420), 16, fill=_shift(fabric, 22))
    pen.rectangle((60, 330, 90, 500), fill=(120, 90, 60))
    for _ in range(14):
        angle, reach = rng.uniform(-2.6, -0.5), rng.randint(60, 130)
        tip = (75 + math.cos(angle) * reach, 330 + math.sin(angle) * reach)
        pen.line(((75, 330), tip), fill=(62, rng.randint(110, 150), 70), width=9)
    pen.rectangle((470, 110, 640, 230), fill=(250, 248, 240), outline=(90, 70, 50), width=8)
    pen.ellipse((520, 140, 590, 205), fill=(224, 142, 76))


def _screws(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    pen.rectangle((60, 60, 740, 540), fill=(232, 226, 212))
    for row in range(2):
        for column in range(4):
            x, y = 130 + column * 160 + rng.randint(-14, 14), 130 + row * 210 + rng.randint(-14, 14)
            pen.ellipse((x - 24, y - 24, x + 24, y + 24), fill=(150, 150, 156), outline=(96, 96, 102), width=3)
            pen.line((x - 14, y, x + 14, y), fill=(80, 80, 86), width=5)
            pen.rectangle((x - 7, y + 22, x + 7, y + 110), fill=(170, 170, 176))


def _chair_leg(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    wood = rng.choice(_WOODS)
    pen.rounded_rectangle((180, 240, 620, 300), 18, fill=_shift(wood, 20))
    for x in (210, 570):
        pen.polygon(((x, 300), (x + 30, 300), (x + 22, 520), (x + 6, 520)), fill=wood)
    pen.polygon(((390, 330), (424, 322), (500, 540), (474, 548)), fill=wood)
    pen.ellipse((384, 300, 420, 326), fill=(70, 50, 36))


def _stain(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    wood = rng.choice(_WOODS)
    for row in range(0, 600, 60):
        pen.rectangle((0, row, 800, row + 58), fill=_shift(wood, rng.randint(-10, 20)))
    for _ in range(26):
        x, y, size = rng.gauss(400, 70), rng.gauss(300, 55), rng.randint(18, 90)
        pen.ellipse((x - size, y - size * 0.8, x + size, y + size * 0.8), fill=(112, 22, 44))
    pen.ellipse((590, 90, 720, 220), outline=(240, 240, 245), width=9)


def _shift(color: Color, by: int) -> Color:
    red, green, blue = (max(0, min(255, one + by)) for one in color)
    return red, green, blue
