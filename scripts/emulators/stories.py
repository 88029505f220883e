"""
What the demo's customers of a furniture shop want and say. Pure: a seed and a number give the same customer, texts and
times on every machine, so that a screenshot can be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from random import Random

from scripts.emulators.people import Person, person
from scripts.emulators.story_texts import CHAT, MAIL, SMS, STORIES, WHATSAPP, Said, StoryText, TurnText

# Those that customers write by; calls are in callers.py.
CHANNELS = (CHAT, SMS, MAIL, WHATSAPP)
# Mean seconds between two new customers, once the first few have come.
GAP_S = 40.0
FIRST_FEW = 6
_PRODUCTS = (
    "Alva armchair", "Birk bookshelf", "Cleo floor lamp", "Dune sofa", "Elm dining table", "Fjord sideboard",
    "Gull desk lamp", "Hazel bed frame", "Ivo bar stool", "Juno wardrobe",
)  # fmt: skip
_CITIES = ("Portland", "Leeds", "Albany", "Bristol", "Denver", "Boulder", "Cardiff", "Savannah")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_COLORS = ("oak", "walnut", "sage green", "charcoal", "cream")
_GREETINGS = {"en": "Hello,", "de": "Guten Tag,", "fr": "Bonjour,", "es": "Hola:", "ar": "مرحباً،", "he": "שלום,"}
_FAREWELLS = {
    "en": "Best wishes",
    "de": "Viele Grüße",
    "fr": "Bien à vous",
    "es": "Un saludo",
    "ar": "مع التحية",
    "he": "בברכה",
}

_GREETED = ("Hi", "Hello", "Guten Tag", "Bonjour", "Buenas tardes", "مرحباً", "שלום")


@dataclass(frozen=True, slots=True)
class Line:
    """
    One message of a customer.

    Attributes:
        pause_s: Between the one before (or the answer) and the moment they begin to type.
        typing_s: How long they type.
        photo: What is on the picture they add, or empty.
    """

    text: str
    pause_s: float
    typing_s: float
    photo: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """
    What a customer says at a stretch, and how long they wait for an answer.

    Attributes:
        patience_s: After it they say ``nudge`` once (if there is one), wait as long again, and go silent.
        answer: What the shop answers in a history that is filled in.
    """

    lines: tuple[Line, ...]
    patience_s: float
    nudge: str
    answer: str


@dataclass(frozen=True, slots=True)
class Customer:
    """
    One customer with everything they will say.

    Attributes:
        arrives_s: Seconds after the demo began.
        subject: Of their mail.
        comes_back_s: Seconds of silence after which they come back and go on, answered or not; 0: they do not.
    """

    person: Person
    story: str
    channel: str
    arrives_s: float
    subject: str
    turns: tuple[Turn, ...]
    comes_back_s: float


def customer(seed: int, number: int) -> Customer:
    """Return the customer of that number, arriving at 0; ``arrivals`` says when they come."""
    rng = Random(f"customer:{seed}:{number}")  # noqa: S311  invented people, not secrets
    # The first ones tell each kind of story once, so that the first screen shows all kinds.
    order = _order(seed)
    story = order[number] if number < len(order) else rng.choice(STORIES)
    channel = _channel(rng, story, number)
    who = person(seed, number, story.language)
    slots = _slots(rng, who)
    return Customer(
        person=who,
        story=story.id,
        channel=channel,
        arrives_s=0.0,
        subject=rng.choice(story.subjects).format_map(slots),
        turns=tuple(_turn(rng, turn, slots, who, channel, index == 0) for index, turn in enumerate(story.turns)),
        comes_back_s=story.comes_back_s,
    )


def arrivals(seed: int, first: int = 0) -> Iterator[Customer]:
    """Yield the customers in the order they come, for ever: a few at once, then one every ``GAP_S`` on average."""
    rng = Random(f"arrivals:{seed}:{first}")  # noqa: S311  invented people, not secrets
    at_s = 0.0
    for number in count():
        at_s += rng.uniform(0.5, 2.0) if number < FIRST_FEW else rng.expovariate(1 / GAP_S)
        yield replace(customer(seed, first + number), arrives_s=round(at_s, 3))


def _order(seed: int) -> list[StoryText]:
    """Mix the stories, so that the first one of each channel can be told on it."""
    order = list(STORIES)
    Random(f"order:{seed}").shuffle(order)  # noqa: S311  invented people, not secrets
    for place, channel in enumerate(CHANNELS):
        found = next(one for one in range(place, len(order)) if channel in order[one].channels)
        order[place], order[found] = order[found], order[place]
    return order


def _channel(rng: Random, story: StoryText, number: int) -> str:
    """Choose a channel; the first few go round, so that every channel is seen at once."""
    chosen = rng.choice(story.channels)
    wanted = CHANNELS[number % len(CHANNELS)]
    return wanted if number < len(STORIES) and wanted in story.channels else chosen


def _slots(rng: Random, who: Person) -> dict[str, str]:
    product, other = rng.sample(_PRODUCTS, 2)
    return {
        "first": who.first,
        "name": who.name,
        "email": who.email,
        "order": f"JO-{rng.randrange(20_000, 99_999)}",
        "product": product,
        "other": other,
        "city": rng.choice(_CITIES),
        "day": rng.choice(_DAYS),
        "color": rng.choice(_COLORS),
        "price": f"{rng.randrange(45, 890)}",
    }


def _turn(
    rng: Random,
    turn: TurnText,
    slots: dict[str, str],
    who: Person,
    channel: str,
    is_first: bool,  # noqa: FBT001
) -> Turn:
    lines = tuple(_line(rng, one, slots) for one in turn.said)
    if channel == MAIL:
        lines = (_letter(lines, who, greets=is_first),)
    return Turn(
        lines=lines,
        patience_s=round(rng.uniform(90, 240) * (3 if channel == MAIL else 1), 1),
        nudge=turn.nudge.format_map(slots),
        answer=rng.choice(turn.answers).format_map(slots),
    )


def _line(rng: Random, said: Said, slots: dict[str, str]) -> Line:
    text = rng.choice(said.ways).format_map(slots)
    # People think 5 to 25 s and type four to seven characters a second.
    return Line(text, round(rng.uniform(5, 25), 1), round(len(text) / rng.uniform(4, 7), 1), said.photo)


def _letter(lines: tuple[Line, ...], who: Person, *, greets: bool) -> Line:
    """Make one mail of what a chat would say in several messages."""
    said = "\n\n".join(one.text for one in lines)
    greeting = _GREETINGS[who.language]
    if greets and not said.startswith(_GREETED):
        said = f"{greeting}\n\n{said}"
    photo = next((one.photo for one in lines if one.photo), "")
    text = f"{said}\n\n{_FAREWELLS[who.language]}\n{who.name}"
    return Line(text, lines[0].pause_s, sum(one.typing_s for one in lines), photo)
