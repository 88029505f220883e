"""The demo's customers: invented names, addresses that can belong to nobody. Pure: the same seed, the same people."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from uuid import UUID

# Numbers for fiction: 555-0100 to 555-0199 of each North American area, 07700 900000 to 900999 in Britain.
# Source: NANPA, "555 Line Number" guidelines; Ofcom, "Telephone numbers for drama use" (read 2026-11-22).
_AREAS = tuple(
    "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 252 253"
    " 254 256 260 262 267 269 270 272 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319"
    " 320 321 323 325 330 331 334 336 337 339 346 347".split()
)
_MAIL_DOMAINS = ("post.example", "mailbox.example", "inbox.example", "letters.example", "home.example")

FIRST_NAMES = {
    "en": "Amelia Noah Priya Theo Grace Marcus Ines Owen Hannah Kofi Lena Jonas Ruby Caleb Nadia Felix Imogen Tariq Esme Hugo",
    "de": "Annika Lukas Frieda Moritz Katharina Jannik Svenja Emil",
    "ar": "ليلى كريم سلمى يوسف هالة",
    "he": "נועה איתי תמר יונתן",
    "fr": "Camille Hugo Manon Bastien",
    "es": "Lucía Mateo Carmen Diego",
}
LAST_NAMES = {
    "en": "Bennett Okafor Sharma Whitlock Delaney Ferrara Ashworth Mensah Lindgren Castellan Hayworth Novak Pemberton Quill"
    " Rowntree Sandoval Thackeray Umber Vance Wetherby",
    "de": "Brandt Hoffmeister Kessler Lorenz Vogelsang Winkelmann",
    "ar": "الخطيب منصور حداد ناصر",
    "he": "לביא שחר אלמוג",
    "fr": "Delacroix Marchand Roussel",
    "es": "Navarro Ibáñez Quintero",
}
# How the names of other scripts stand in an address.
_LATIN = {
    "ليلى": "layla", "كريم": "karim", "سلمى": "salma", "يوسف": "yousef", "هالة": "hala", "الخطيب": "alkhatib",
    "منصور": "mansour", "حداد": "haddad", "ناصر": "nasser", "נועה": "noa", "איתי": "itay", "תמר": "tamar",
    "יונתן": "yonatan", "לביא": "lavi", "שחר": "shachar", "אלמוג": "almog", "Lucía": "lucia", "Ibáñez": "ibanez",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """
    One customer.

    Attributes:
        number: Which one, from 0.
        language: ``en``, ``de``, ``ar``, ``he``, ``fr`` or ``es``.
        phone: E.164.
        email: At a ``.example`` domain.
        visitor: Identifies them in the chat widget's history.
    """

    number: int
    first: str
    last: str
    language: str
    phone: str
    email: str
    visitor: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


def person(seed: int, number: int, language: str) -> Person:
    """Return the customer of that number; numbers below 6,600 share no address."""
    rng = Random(f"person:{seed}:{number}")  # noqa: S311  invented people, not secrets
    first = rng.choice(FIRST_NAMES[language].split())
    last = rng.choice(LAST_NAMES[language].split())
    local = f"{_LATIN.get(first, first).lower()}.{_LATIN.get(last, last).lower()}{number or ''}"
    return Person(
        number=number,
        first=first,
        last=last,
        language=language,
        phone=_phone(number),
        email=f"{local}@{rng.choice(_MAIL_DOMAINS)}",
        visitor=str(UUID(int=rng.getrandbits(128), version=4)),
    )


def _phone(number: int) -> str:
    if number % 7 == 3:
        return f"+447700900{number // 7 % 1000:03d}"
    return f"+1{_AREAS[number // 100 % len(_AREAS)]}555{100 + number % 100:04d}"
