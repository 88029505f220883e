"""How mail programs quote what they answer, in plain text and in HTML."""

from __future__ import annotations

from tests.corpus.mail import case, mail

HTML = "Content-Type: text/html; charset=utf-8\n"
ATTRIBUTIONS = {
    "gmail-en": "On Sun, Nov 22, 2026 at 10:00 AM Bob <bob@acme.example> wrote:",
    "gmail-wrapped": "On Sun, Nov 22, 2026 at 10:00 AM Bob with a long name\n<bob@acme.example> wrote:",
    "apple-en": "On 22 Nov 2026, at 10:00, Bob <bob@acme.example> wrote:",
    "thunderbird-en": "On 11/22/26 10:00, Bob wrote:",
    "proton": "On Sunday, November 22nd, 2026 at 10:00 AM, Bob <bob@acme.example> wrote:",
    "german": "Am So., 22. Nov. 2026 um 10:00 Uhr schrieb Bob <bob@acme.example>:",
    "german-apple": "Am 22.11.2026 um 10:00 schrieb Bob <bob@acme.example>:",
    "french": "Le dim. 22 nov. 2026 à 10:00, Bob <bob@acme.example> a écrit :",
    "spanish": "El dom, 22 nov 2026 a las 10:00, Bob (<bob@acme.example>) escribió:",
    "italian": "Il giorno dom 22 nov 2026 alle ore 10:00 Bob <bob@acme.example> ha scritto:",
    "dutch": "Op zo 22 nov 2026 om 10:00 schreef Bob <bob@acme.example>:",
    "portuguese": "Em dom., 22 de nov. de 2026 às 10:00, Bob <bob@acme.example> escreveu:",
    "swedish": "Den sön 22 nov. 2026 kl 10:00 skrev Bob <bob@acme.example>:",
    "danish": "Den søn. 22. nov. 2026 kl. 10.00 skrev Bob <bob@acme.example>:",
    "finnish": "su 22. marrask. 2026 klo 10.00 Bob (bob@acme.example) kirjoitti:",
    "polish": "niedz., 22 lis 2026 o 10:00 Bob <bob@acme.example> napisał(a):",
    "czech": "ne 22. 11. 2026 v 10:00 odesílatel Bob <bob@acme.example> napsal:",
    "hungarian": "Bob <bob@acme.example> ezt írta (időpont: 2026. nov. 22., V, 10:00):",
    "russian": "вс, 22 нояб. 2026 г. в 10:00, Bob <bob@acme.example> написал(а):",
    "turkish": "Bob <bob@acme.example>, 22 Kas 2026 Paz, 10:00 tarihinde şunu yazdı:",
    "chinese": "Bob <bob@acme.example> 于2026年11月22日周日 10:00写道：",
    "japanese": "2026年11月22日(日) 10:00 Bob <bob@acme.example>のメール:",
}
for name, line in ATTRIBUTIONS.items():
    case(
        f"quote-{name}",
        mail(f"Thanks, works.\n\n{line}\n\n> Hello Ann,\n> is it good?\n> Bob\n"),
        text="Thanks, works.",
        quoted=f"{line}\n\n> Hello Ann,\n> is it good?\n> Bob",
    )

ORIGINAL = (
    "From: Bob <bob@acme.example>\nSent: Sunday, November 22, 2026 10:00 AM\nTo: Ann\nSubject: Offer\n\nHello Ann\n"
)
case(
    "quote-outlook-original",
    mail(f"Thanks\n\n-----Original Message-----\n{ORIGINAL}"),
    text="Thanks",
    quoted_has="Hello Ann",
)
case(
    "quote-outlook-rule",
    mail(f"Thanks\n\n________________________________\n{ORIGINAL}"),
    text="Thanks",
    quoted_has="From: Bob",
)
case("quote-outlook-headers", mail(f"Thanks\n\n{ORIGINAL}"), text="Thanks", quoted_has="Hello Ann")
case(
    "quote-outlook-german",
    mail(
        "Danke\n\nVon: Bob <bob@acme.example>\nGesendet: Sonntag, 22. November 2026 10:00\nAn: Ann\nBetreff: Angebot\n\nHallo Ann\n"
    ),
    text="Danke",
    quoted_has="Hallo Ann",
)
case(
    "quote-outlook-french",
    mail(
        "Merci\n\nDe : Bob <bob@acme.example>\nEnvoyé : dimanche 22 novembre 2026 10:00\nÀ : Ann\nObjet : Offre\n\nBonjour\n"
    ),
    text="Merci",
    quoted_has="Bonjour",
)
case(
    "quote-outlook-original-german",
    mail("Danke\n\n-----Ursprüngliche Nachricht-----\nVon: Bob\nHallo\n"),
    text="Danke",
    quoted_has="Hallo",
)
case(
    "quote-outlook-mobile",
    mail(f"Ok\n\nGet Outlook for iOS\n________________________________\n{ORIGINAL}"),
    text="Ok\n\nGet Outlook for iOS",
    quoted_has="Hello Ann",
)
case(
    "quote-yahoo-unmarked",
    mail(
        "Thanks\n\n    On Sunday, November 22, 2026, 10:00:00 AM GMT+1, Bob <bob@acme.example> wrote:  \n \n Hello Ann\n"
    ),
    text="Thanks",
    quoted_has="Hello Ann",
)
case(
    "quote-iphone",
    mail("Yes!\n\nSent from my iPhone\n\n> On 22 Nov 2026, at 10:00, Bob <bob@acme.example> wrote:\n> \n> Hello\n"),
    text="Yes!\n\nSent from my iPhone",
    quoted_has="> Hello",
)
case(
    "quote-proton-original",
    mail("Yes\n\n‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Sunday, Bob wrote:\n> Hello\n"),
    text="Yes",
    quoted_has="> Hello",
)
case("quote-no-attribution", mail("Yes\n\n> Hello\n> Ann\n"), text="Yes", quoted="> Hello\n> Ann")
case(
    "quote-two-levels",
    mail("Yes\n\nOn 22 Nov 2026, at 10:00, Bob wrote:\n> No?\n>> Really?\n"),
    text="Yes",
    quoted_has=">> Really?",
)
case(
    "quote-below-answer",
    mail("On 22 Nov 2026, at 10:00, Bob wrote:\n> How many?\n\nThree.\n"),
    text="Three.",
    quoted_has="> How many?",
)
INLINE = "On 22 Nov 2026, at 10:00, Bob wrote:\n> How many?\nThree.\n> When?\nMonday."
case("quote-answers-between", mail(INLINE), text=INLINE, quoted="")
BOTH = "Hi,\n\nOn 22 Nov 2026, at 10:00, Bob wrote:\n> How many?\n\nThree."
case("quote-answer-above-and-below", mail(BOTH), text=BOTH, quoted="")
case("quote-only", mail("> Hello\n> Ann\n"), text="> Hello\n> Ann", quoted="")
case("quote-none-colon", mail("I wrote:\n\nplease call me\n"), text="I wrote:\n\nplease call me", quoted="")
case("quote-none-from-word", mail("From: here to there\nis far.\n"), text="From: here to there\nis far.", quoted="")
case("quote-none-dashes", mail("--- price list ---\na\nb\n"), text="--- price list ---\na\nb", quoted="")
FORWARD = "See below\n\n---------- Forwarded message ---------\nFrom: Bob <bob@x.example>\nDate: Sun, 22 Nov 2026\nSubject: Offer\nTo: Ann\n\nHello\n"
case("forward-gmail", mail(FORWARD, subject="Fwd: Offer"), text=FORWARD.strip(), quoted="")
case("forward-gmail-no-mark", mail(FORWARD, subject="Offer"), text=FORWARD.strip(), quoted="")
case(
    "forward-outlook",
    mail(f"See below\n\n{ORIGINAL}", subject="FW: Offer"),
    text=f"See below\n\n{ORIGINAL}".strip(),
    quoted="",
)
case(
    "forward-apple",
    mail("See\n\nBegin forwarded message:\n\n> From: Bob <b@x.example>\n> Hello\n"),
    text_has="> Hello",
    quoted="",
)

GMAIL = '<div dir="ltr">Thanks!</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Sun, Nov 22, 2026 at 10:00 AM Bob &lt;<a href="mailto:bob@acme.example">bob@acme.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0"><div>Hello Ann</div></blockquote></div>'
case("html-gmail", mail(GMAIL, headers=HTML), text="Thanks!", quoted_has="Hello Ann", html_has="gmail_quote")
case(
    "html-gmail-forward",
    mail(GMAIL.replace("On Sun,", "---------- Forwarded message --------- On Sun,"), headers=HTML),
    text_has="Hello Ann",
    quoted="",
)
case(
    "html-outlook",
    mail(
        '<div>Thanks</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Bob<br><b>Sent:</b> Sunday<br><b>To:</b> Ann<br></div><div>Hello Ann</div>',
        headers=HTML,
    ),
    text="Thanks",
    quoted_has="Hello Ann",
)
case(
    "html-apple",
    mail(
        '<div>Thanks</div><div><br><blockquote type="cite"><div>On 22 Nov 2026, at 10:00, Bob wrote:</div><div>Hello Ann</div></blockquote></div>',
        headers=HTML,
    ),
    text="Thanks",
    quoted_has="Hello Ann",
)
case(
    "html-thunderbird",
    mail(
        '<p>Thanks</p><div class="moz-cite-prefix">Am 22.11.26 um 10:00 schrieb Bob:<br></div><blockquote type="cite" cite="mid:x"><p>Hello Ann</p></blockquote>',
        headers=HTML,
    ),
    text="Thanks",
    quoted_has="Hello Ann",
)
case(
    "html-yahoo",
    mail(
        '<div>Thanks</div><div id="ydp1" class="yahoo_quoted"><div>On Sunday, Bob wrote:</div><div>Hello Ann</div></div>',
        headers=HTML,
    ),
    text="Thanks",
    quoted_has="Hello Ann",
)
case(
    "html-proton",
    mail(
        '<div>Thanks</div><div class="protonmail_quote">On Sunday, Bob wrote:<br><blockquote class="protonmail_quote" type="cite">Hello Ann</blockquote></div>',
        headers=HTML,
    ),
    text="Thanks",
    quoted_has="Hello Ann",
)
case(
    "html-answers-between",
    mail(
        '<div>Hi</div><blockquote type="cite">How many?</blockquote><div>Three</div><blockquote type="cite">When?</blockquote><div>Monday</div>',
        headers=HTML,
    ),
    text_has="Monday",
    quoted="",
)
case(
    "html-word-headers",
    mail(
        '<p>Thanks</p><div style="border-top:solid"><p><b>From:</b> Bob<br><b>Sent:</b> Sunday 10:00<br><b>To:</b> Ann<br><b>Subject:</b> Offer</p></div><p>Hello Ann</p>',
        headers=HTML,
    ),
    text="Thanks",
    quoted_has="Hello Ann",
)

TEXTS = {
    "links": ('<p>See <a href="https://shop.example/a?b=1&amp;c=2">our shop</a></p>', "See our shop (https://shop.example/a?b=1&c=2)"),
    "link-same": ('<a href="https://shop.example/">shop.example</a>', "shop.example"),
    "link-script": ('<a href="javascript:alert(1)">x</a>', "x"),
    "script": ("<p>Hi<script>alert('no')</script><style>p{}</style> there", "Hi there"),
    "script-unclosed": ("<p>Hi</p><script>alert(1)", "Hi\n\nalert(1)"),
    "blocks": ("<div>one</div><div>two</div><p>three</p>four<br>five", "one\ntwo\n\nthree\n\nfour\nfive"),
    "list": ("<ul><li>one</li><li>two</li></ul>", "• one\n• two"),
    "table": ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
    "entities": ("&lt;b&gt; &amp; &euro; &#8364; &#x20AC; &nbsp;x &unknown;", "<b> & € € € x &unknown;"),
    "huge-entity": ("a&#" + "9" * 6000 + ";b", "a&#" + "9" * 6000 + ";b"),
    "comment": ("a<!-- <p>hidden</p> -->b<!--[if mso]>c<![endif]-->", "ab"),
    "comment-unclosed": ("a<!-- b > c", "a c"),
    "hidden": ('<div style="display:none">preheader</div>Hello', "Hello"),
    "image-alt": ('<img alt="Logo" src="https://x/y.png">Hello', "LogoHello"),
    "pre": ("<pre>a\n  b</pre>", "a\n  b"),
    "broken-tags": ("a < b <c and <p", "a < b"),
    "title": ("<html><head><title>T</title></head><body>B</body></html>", "B"),
    "whitespace": ("  a \n\t b&nbsp; c ", "a b c"),
}  # fmt: skip
for name, (body, text) in TEXTS.items():
    case(f"html-text-{name}", mail(body, headers=HTML), text=text)
