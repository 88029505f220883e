"""The words of the demo's stories: customers of an invented furniture shop, Juniper & Oak, in six languages."""

from __future__ import annotations

from dataclasses import dataclass

CHAT, SMS, MAIL, WHATSAPP, CALLS = "livechat", "twilio_sms", "imap_smtp", "whatsapp_cloud", "voice"
EVERYWHERE = (CHAT, SMS, MAIL, WHATSAPP)


@dataclass(frozen=True, slots=True)
class Said:
    """
    One message, in several ways of saying it.

    Attributes:
        photo: What the picture that comes with it shows, or empty.
    """

    ways: tuple[str, ...]
    photo: str = ""


@dataclass(frozen=True, slots=True)
class TurnText:
    """What is said at a stretch; ``nudge`` when nobody answers; ``answers`` of the shop in a filled-in history."""

    said: tuple[Said, ...]
    answers: tuple[str, ...]
    nudge: str = ""


@dataclass(frozen=True, slots=True)
class StoryText:
    """One kind of customer."""

    id: str
    subjects: tuple[str, ...]
    turns: tuple[TurnText, ...]
    language: str = "en"
    channels: tuple[str, ...] = EVERYWHERE
    comes_back_s: float = 0.0


def _said(*ways: str, photo: str = "") -> Said:
    return Said(ways, photo)


def _turn(*said: Said, answers: tuple[str, ...], nudge: str = "") -> TurnText:
    return TurnText(said, answers, nudge)


STORIES: tuple[StoryText, ...] = (
    StoryText(
        "delivery_day",
        ("When will {order} arrive?", "Delivery of my {product}"),
        (
            _turn(
                _said(
                    "Hi, could you tell me when my {product} will arrive? Order {order}.",
                    "Hello! I ordered the {product} ({order}). Is there a delivery date yet?",
                ),
                _said("I have to take the day off work, so a time window would help a lot."),
                answers=(
                    "Hi {first}, {order} is on the van for {day}, between 9 and 12. The driver calls 30 minutes before.",
                ),
                nudge="Any news on this? I need to tell my boss by tomorrow.",
            ),
            _turn(
                _said(
                    "{day} morning works. Will they carry it up to the third floor?",
                    "Perfect. There is no lift, third floor, is that ok?",
                ),
                answers=("Yes, carrying up is included for this order, {first}.",),
            ),
            _turn(
                _said("Great, thank you! 🙏", "Thanks so much, that was quick."),
                answers=("With pleasure. Enjoy the {product}!",),
            ),
        ),
    ),
    StoryText(
        "broken_lamp",
        ("My lamp arrived broken ({order})", "Damaged on arrival: {order}"),
        (
            _turn(
                _said("Hello, my Cleo floor lamp came today and the shade is cracked right through 😕"),
                _said(
                    "Here is a photo. The box looked fine from outside.",
                    "This is what it looks like.",
                    photo="broken lamp",
                ),
                answers=(
                    "I am sorry, {first}. That is transport damage; I have put a new shade in the post today, free of charge. You can throw the old one away.",
                ),
                nudge="Did the photo come through?",
            ),
            _turn(
                _said(
                    "Oh nice, so I do not need to send anything back?",
                    "Thank you. And how long will the new shade take?",
                ),
                answers=("Nothing to send back. The shade takes two to three working days.",),
            ),
            _turn(_said("Wonderful, that is what I call service 🌟"), answers=("Thank you for the quick photo!",)),
        ),
    ),
    StoryText(
        "invoice_copy",
        ("Invoice for {order}", "Copy of my invoice, please"),
        (
            _turn(
                _said(
                    "Could you send me the invoice for {order} again? I need it for my tax return.",
                    "Hi, I cannot find the invoice of order {order}. Could I have a copy, made out to my company?",
                ),
                answers=("Of course, {first}. I have sent it to {email}. Does the billing address look right?",),
            ),
            _turn(
                _said(
                    "Found it, thanks. The street is missing the house number though, it should be 14b.",
                    "It is there, thank you! Everything is right.",
                ),
                answers=("Corrected and sent again.",),
            ),
        ),
        channels=(MAIL, CHAT),
    ),
    StoryText(
        "angry_third_time",
        ("THIRD time I am writing about {order}", "Still no answer about {order}"),
        (
            _turn(
                _said(
                    "This is the THIRD time I contact you about order {order}. Nobody answers. Is anyone there at all?"
                ),
                _said("I paid £{price} five weeks ago and have neither a sofa nor a date."),
                answers=(
                    "I am truly sorry, {first}. I looked into it: the fabric was late and nobody told you. It leaves our workshop on {day}; I watch over it myself.",
                ),
                nudge="Unbelievable. I will ask my bank for the money back if I do not hear from you today.",
            ),
            _turn(
                _said(
                    "So {day}. And what do I get for five weeks of waiting?",
                    "I have heard promises before. Can I have that in writing?",
                ),
                answers=("You have it in writing here, and the delivery fee goes back to your card today.",),
            ),
            _turn(_said("Fine. Thank you for finally answering."), answers=("Thank you for your patience with us.",)),
        ),
    ),
    StoryText(
        "thank_you",
        ("Thank you!", "A happy customer"),
        (
            _turn(
                _said(
                    "Just wanted to say: the {product} is even nicer than in the pictures. Your driver was lovely too 😊"
                ),
                _said("This is how it looks in our living room.", photo="living room"),
                answers=("What a lovely room, {first}! You made our whole team smile.",),
            ),
        ),
        channels=(CHAT, SMS, WHATSAPP),
    ),
    StoryText(
        "liefertermin",
        ("Liefertermin für {order}", "Frage zu meiner Bestellung {order}"),
        (
            _turn(
                _said(
                    "Guten Tag, ich habe am Montag den Esstisch bestellt ({order}). Können Sie mir sagen, wann er geliefert wird?"
                ),
                _said("Wir ziehen am Monatsende um, deshalb wäre es wichtig, dass er vorher kommt."),
                answers=("Guten Tag {name}, der Tisch kommt nächsten Donnerstag zwischen 8 und 12 Uhr. Passt das?",),
                nudge="Könnten Sie bitte kurz Bescheid geben? Vielen Dank!",
            ),
            _turn(
                _said(
                    "Donnerstag passt sehr gut. Müssen wir den Tisch selbst aufbauen?",
                    "Ja, das passt. Ist der Aufbau im Preis enthalten?",
                ),
                answers=("Der Aufbau ist dabei, die Verpackung nehmen wir wieder mit.",),
            ),
            _turn(
                _said("Perfekt, herzlichen Dank für die schnelle Antwort!"), answers=("Gern geschehen, schönen Umzug!",)
            ),
        ),
        language="de",
    ),
    StoryText(
        "arabic_color",
        ("سؤال عن لون الأريكة", "استفسار عن الطلب {order}"),
        (
            _turn(
                _said("مرحباً، هل تتوفر أريكة Dune باللون الأخضر؟"),
                _said("وكم يستغرق التوصيل؟ 🛋️"),
                answers=("Hello {first}, yes: sage green is in stock, delivery takes about two weeks.",),
                nudge="هل من أحد هنا؟",
            ),
            _turn(_said("ممتاز، شكراً جزيلاً! سأطلبها اليوم 🌿"), answers=("Thank you, {first}!",)),
        ),
        language="ar",
    ),
    StoryText(
        "hebrew_assembly",
        ("שאלה על הרכבה", "הזמנה {order}"),
        (
            _turn(
                _said("שלום, קיבלתי את המיטה אבל חסרים ארבעה ברגים (הזמנה {order})"),
                _said("הנה תמונה של מה שהגיע", photo="screws"),
                answers=("Hello {first}, four M8 screws are on their way to you by express.",),
            ),
            _turn(_said("תודה רבה! ❤️"), answers=("With pleasure!",)),
        ),
        language="he",
        channels=(CHAT, SMS, WHATSAPP),
    ),
    StoryText(
        "swatch_request",
        ("Fabric samples?", "Samples of {color}"),
        (
            _turn(
                _said("Do you send fabric samples? I am torn between {color} and navy blue for the {product}."),
                answers=("We do, free of charge. To which address may I send them?",),
            ),
            _turn(
                _said("14 Orchard Lane, {city}, please. Do they show how the color looks in daylight?"),
                answers=("They are 10 by 10 cm, enough to lay on the windowsill. Posted today!",),
            ),
            _turn(
                _said("Samples are here: {color} it is! How do I order now?"),
                answers=("Lovely choice. I have put it into your basket.",),
            ),
        ),
        comes_back_s=420.0,
    ),
    StoryText(
        "change_address",
        ("New address for {order}", "Please change my delivery address"),
        (
            _turn(
                _said(
                    "We moved! Can you send {order} to 8 Mill Road, {city} instead?",
                    "Is it too late to change the delivery address of {order}?",
                ),
                answers=("Just in time, {first}: it is changed. Same day, same time.",),
                nudge="Sorry to push, but I am afraid it ships today.",
            ),
            _turn(_said("Phew. Thank you!! 🏡"), answers=("Enjoy the new place!",)),
        ),
    ),
    StoryText(
        "return_question",
        ("Returning the {product}", "Return {order}"),
        (
            _turn(
                _said("How do I return the {product}? It is beautiful but just too big for our hallway."),
                _said("I measured twice, I promise 😅"),
                answers=(
                    "It happens to the best, {first}. We collect it on {day}; would the {other} fit? It is 20 cm narrower.",
                ),
            ),
            _turn(
                _said(
                    "Oh, that might work! Is it available in {color}?",
                    "Let me measure a third time. What does it cost?",
                ),
                answers=("It is, and it costs less: you would get £{price} back.",),
            ),
            _turn(_said("Then let us swap them, please."), answers=("Done. You get a mail with both dates.",)),
        ),
    ),
    StoryText(
        "voucher_fails",
        ("Voucher code does not work", "Problem at the checkout"),
        (
            _turn(
                _said("Your shop says my voucher WELCOME10 is invalid 🤔"),
                answers=(
                    "It starts from £200, {first}. I have taken the 10 % off your basket by hand, please reload.",
                ),
                nudge="Hello? I am about to give up on this basket...",
            ),
            _turn(_said("It works now. Ordered! 🎉"), answers=("Thank you for your order!",)),
        ),
        channels=(CHAT,),
    ),
    StoryText(
        "french_dimensions",
        ("Dimensions du buffet Fjord", "Question avant achat"),
        (
            _turn(
                _said("Bonjour ! Quelle est la profondeur exacte du buffet Fjord ? Il doit tenir derrière une porte."),
                answers=("Bonjour {first}, 38 cm, poignées comprises.",),
            ),
            _turn(
                _said("Parfait, c'est juste ce qu'il faut. Livrez-vous en appartement ?"),
                answers=("Oui, jusque dans la pièce de votre choix.",),
            ),
        ),
        language="fr",
    ),
    StoryText(
        "spanish_warranty",
        ("Garantía del pedido {order}", "Pata suelta"),
        (
            _turn(
                _said("Buenas tardes, una pata de la silla se ha soltado. La compré hace un año, ¿sigue en garantía?"),
                _said("Adjunto una foto.", photo="chair leg"),
                answers=("Buenas tardes {first}, la garantía es de cinco años. Le enviamos una pata nueva hoy mismo.",),
            ),
            _turn(_said("¡Qué alivio! Muchísimas gracias 🙌"), answers=("¡A usted!",)),
        ),
        language="es",
    ),
    StoryText(
        "trade_quote",
        ("Quote for 24 bar stools", "Furnishing a café: a quote, please"),
        (
            _turn(
                _said(
                    "We are opening a café in {city} in spring and would like a quote for 24 Ivo bar stools in {color}. Do you have trade prices?"
                ),
                answers=(
                    "Congratulations, {first}! From 20 pieces we give 15 %. I can have a quote ready by {day}; where should it go?",
                ),
            ),
            _turn(
                _said(
                    "To this address, please. Could you also hold the stock until the end of the month? We will need to agree it with our bank first."
                ),
                answers=("Gladly: 24 stools are reserved under {order}.",),
            ),
            _turn(
                _said("The bank said yes. Please go ahead with the order!"),
                answers=("Wonderful news. Order confirmed!",),
            ),
        ),
        channels=(MAIL,),
        comes_back_s=600.0,
    ),
    StoryText(
        "quick_opening_hours",
        ("Opening hours", "Showroom on Sunday?"),
        (
            _turn(
                _said(
                    "are you open on sunday?",
                    "what time do you close today",
                    "Is the {city} showroom open on bank holidays?",
                ),
                answers=("We are open Monday to Saturday, 10 to 7.",),
            ),
            _turn(_said("ok thx", "👍"), answers=("See you soon!",)),
        ),
        channels=(SMS, CHAT, WHATSAPP),
    ),
    StoryText(
        "care_advice",
        ("Red wine on oak", "How do I get this stain out?"),
        (
            _turn(
                _said("Help! Red wine on the {product} 🍷😱 It has been there for an hour."),
                _said("Photo so you see how bad it is.", photo="wine stain"),
                answers=(
                    "Do not rub! Lukewarm water with a drop of soap, dab, let it dry, then a little of the care oil.",
                ),
                nudge="It is drying in... anyone?",
            ),
            _turn(_said("You saved our evening. You can hardly see it any more!"), answers=("Phew! Cheers, {first}.",)),
        ),
        channels=(CHAT, SMS, WHATSAPP),
    ),
    StoryText(
        "missing_parts",
        ("Missing part in {order}", "One shelf is missing"),
        (
            _turn(
                _said(
                    "I am half way through building the Birk bookshelf and there are only four shelves in the box instead of five."
                ),
                answers=("How annoying, {first}. The fifth leaves our warehouse today.",),
            ),
            _turn(
                _said("Thank you. Can I put the books on it already or does it need all five to be stable?"),
                answers=("Up to the third shelf, please. And do fix it to the wall.",),
            ),
        ),
    ),
)
