"""Bounces as eight mail servers write them, read receipts, complaints, TNEF."""

from __future__ import annotations

import base64
import struct

from tests.corpus.mail import MESSAGE, OUR_ID, case, mail
from tests.corpus.mail.structure import joined, plain

RETURNED = f"From: Acme <support@acme.example>\nTo: Bob <bob@client.example>\nSubject: Offer\nDate: Sun, 22 Nov 2026 08:00:00 +0000\nMessage-ID: <{OUR_ID}>\n"
SES_RETURNED = RETURNED.replace(
    f"Message-ID: <{OUR_ID}>", f"Message-ID: <0100018c@email.amazonses.com>\nX-Message-Token: <{OUR_ID}>"
)
OURS = {"kind": "receipt", "target_external_id": OUR_ID, "correlation_id": MESSAGE, "sender": "bob@client.example"}


def report(
    words: str, status: str, *, kind: str = "delivery-status", sender: str = "MAILER-DAEMON@mx.example", subject: str = "Undelivered",
    returned: str = RETURNED, headers: str = "", returned_type: str = "text/rfc822-headers",
) -> str:  # fmt: skip
    report_type = {"delivery-status": "delivery-status", "disposition-notification": "disposition-notification"}.get(
        kind, kind
    )
    head = f'From: {sender}\nReturn-Path: <>\n{headers}MIME-Version: 1.0\nContent-Type: multipart/report; report-type={report_type}; boundary="b1"\n'
    parts = [plain(words), f"Content-Type: message/{kind}\n\n{status}"]
    if returned:
        parts.append(f"Content-Type: {returned_type}\n\n{returned}")
    return mail(joined(*parts), headers=head, subject=subject)


def status(
    action: str = "failed",
    code: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 no such user",
    address: str = "bob@client.example",
) -> str:
    return f"Reporting-MTA: dns; mx.example\nArrival-Date: Sun, 22 Nov 2026 08:00:00 +0000\n\nFinal-Recipient: rfc822; {address}\nAction: {action}\nStatus: {code}\nDiagnostic-Code: {diagnostic}\n"


case(
    "bounce-postfix",
    report(
        "This is the mail system at host mx.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n",
        status(),
        subject="Undelivered Mail Returned to Sender",
    ),
    **OURS,
    status=["failed"],
    code="5.1.1",
    klass="recipient",
)
case(
    "bounce-postfix-delayed",
    report(
        "THIS IS A WARNING ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.",
        status("delayed", "4.4.1", "X-Postfix; connect timed out"),
        subject="Delayed Mail (still being retried)",
    ),
    **OURS,
    status=["sent"],
    code=None,
)
case(
    "bounce-m365",
    report(
        "Your message to bob@client.example couldn't be delivered.",
        status("failed", "5.1.10", "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found"),
        sender="postmaster@acme.onmicrosoft.com",
        subject="Undeliverable: Offer",
        returned_type="message/rfc822",
    ),
    **OURS,
    status=["failed"],
    code="5.1.10",
    klass="recipient",
)
case(
    "bounce-exchange-full",
    report(
        "The recipient's mailbox is full.",
        status("failed", "5.2.2", "smtp;554 5.2.2 mailbox full"),
        sender="MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@client.example",
        subject="Undeliverable: Offer",
    ),
    **OURS,
    status=["failed"],
    code="5.2.2",
    klass="recipient",
)
case(
    "bounce-exchange-policy",
    report(
        "Rejected", status("failed", "5.7.1", "smtp;550 5.7.1 blocked by policy"), sender="postmaster@client.example"
    ),
    **OURS,
    status=["failed"],
    klass="permission",
)
case(
    "bounce-gmail",
    report(
        "** Address not found **\n\nYour message wasn't delivered to bob@client.example because the address couldn't be found.",
        status("failed", "5.1.1", "smtp; 550-5.1.1 The email account that you tried to reach does not exist."),
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        headers="X-Failed-Recipients: bob@client.example\nAuto-Submitted: auto-replied\n",
        subject="Delivery Status Notification (Failure)",
        returned_type="message/rfc822",
    ),
    **OURS,
    status=["failed"],
    code="5.1.1",
)
case(
    "bounce-gmail-delayed",
    report(
        "** Delivery incomplete **\n\nThere was a temporary problem delivering your message. Gmail will retry for 45 more hours.",
        status("delayed", "4.4.1"),
        sender="mailer-daemon@googlemail.com",
        subject="Delivery Status Notification (Delay)",
    ),
    **OURS,
    status=["sent"],
)
case(
    "bounce-ses",
    report(
        "An error occurred while trying to deliver the mail to the following recipients:\nbob@client.example",
        status("failed", "5.1.1", "smtp; 550 5.1.1 user unknown"),
        sender="MAILER-DAEMON@eu-west-1.amazonses.com",
        subject="Delivery Status Notification (Failure)",
        returned=SES_RETURNED,
    ),
    **OURS,
    status=["failed"],
)
case(
    "bounce-sendmail-report",
    report(
        "   ----- The following addresses had permanent fatal errors -----\n<bob@client.example>\n",
        status("failed", "5.1.1"),
        subject="Returned mail: see transcript for details",
        returned_type="message/rfc822",
    ),
    **OURS,
    status=["failed"],
)
case(
    "bounce-two-recipients",
    report(
        "Not delivered", status() + "\nFinal-Recipient: rfc822; eve@client.example\nAction: delivered\nStatus: 2.0.0\n"
    ),
    items=2,
    status=["failed", "delivered"],
    target_external_id=OUR_ID,
)
case(
    "bounce-relayed",
    report("Relayed", status("relayed", "2.0.0"), subject="Successful Mail Delivery Report"),
    **OURS,
    status=["sent"],
)
case(
    "bounce-delivered",
    report("Delivered", status("delivered", "2.0.0"), subject="Successful Mail Delivery Report"),
    **OURS,
    status=["delivered"],
)
case("bounce-status-with-blank-lines", report("No", "\n\n" + status()), **OURS, status=["failed"])
case(
    "bounce-original-recipient",
    report("No", status(address="forwarded@else.example") + "Original-Recipient: rfc822;bob@client.example\n"),
    **OURS,
    status=["failed"],
)
case(
    "bounce-no-status-code",
    report("No", status(code="", diagnostic="smtp; 550 mailbox unavailable")),
    **OURS,
    status=["failed"],
    code="550",
    klass="recipient",
)
case(
    "bounce-expired",
    report("No", status(code="4.4.7", diagnostic="smtp; 421 4.4.7 message expired")),
    **OURS,
    status=["failed"],
    code="4.4.7",
    klass="permanent",
)
case(
    "bounce-other-client",
    report("No", status(), returned=RETURNED.replace(OUR_ID, "other@client.app")),
    kind="receipt",
    target_external_id="other@client.app",
    correlation_id=None,
    status=["failed"],
)
case(
    "bounce-no-returned-headers",
    report("Your message could not be delivered", status(), returned=""),
    kind="message",
    auto_submitted=True,
    text_has="could not be delivered",
)
case(
    "bounce-in-attachment",
    mail(
        "--b1\n"
        + plain("Look what I got")
        + "\n--b1\nContent-Type: message/rfc822\n\n"
        + report("No", status()).replace("b1", "b9")
        + "\n--b1--\n",
        headers='Content-Type: multipart/mixed; boundary="b1"\n',
    ),
    kind="message",
    text="Look what I got",
)

DAEMON = "From: Mail Delivery System <MAILER-DAEMON@mx.example>\nReturn-Path: <>\nAuto-Submitted: auto-replied\n"
EXIM = (
    "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  bob@client.example\n    host mx.client.example [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<bob@client.example>:\n    550 5.1.1 User unknown\n\n------ This is a copy of the message, including all the headers. ------\n\nReturn-path: <support@acme.example>\nReceived: from x\n"
    + RETURNED
    + "\nHello Bob\n"
)
case(
    "bounce-exim",
    mail(
        EXIM,
        headers=DAEMON + "X-Failed-Recipients: bob@client.example\n",
        subject="Mail delivery failed: returning message to sender",
    ),
    **OURS,
    status=["failed"],
    code="5.1.1",
)
case(
    "bounce-exim-delayed",
    mail(
        EXIM.replace(
            "could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:",
            "has not been delivered to one or more\nof its recipients after more than 24 hours on the queue.\nNo action is required on your part.",
        ),
        headers=DAEMON,
        subject="Warning: message 1abc delayed 24 hours",
    ),
    **OURS,
    status=["sent"],
)
QMAIL = (
    "Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<bob@client.example>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 No such user\nGiving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <support@acme.example>\n"
    + RETURNED
    + "\nHello\n"
)
case(
    "bounce-qmail",
    mail(QMAIL, headers=DAEMON, subject="failure notice"),
    **OURS,
    status=["failed"],
    code="550",
    klass="recipient",
)
SENDMAIL = (
    "The original message was received at Sun, 22 Nov 2026 08:00:00 GMT\nfrom localhost\n\n   ----- The following addresses had permanent fatal errors -----\n<bob@client.example>\n    (reason: 550 5.1.1 <bob@client.example>... User unknown)\n\n   ----- Transcript of session follows -----\n... while talking to mx.client.example.:\n550 5.1.1 User unknown\n\n   ----- Original message follows -----\n\n"
    + RETURNED
)
case(
    "bounce-sendmail-old",
    mail(SENDMAIL, headers=DAEMON, subject="Returned mail: User unknown"),
    **OURS,
    status=["failed"],
    code="5.1.1",
)
case(
    "bounce-sendmail-warning",
    mail(
        SENDMAIL.replace("permanent fatal errors", "transient non-fatal errors").replace("550 5.1.1", "451 4.1.1")
        + "\n",
        headers=DAEMON,
        subject="Warning: could not send message for past 4 hours",
    ),
    **OURS,
    status=["sent"],
)
YAHOO = (
    "Sorry, we were unable to deliver your message to the following address.\n\n<bob@client.example>:\n554: delivery error: dd This user doesn't have a yahoo.com account\n\n--- Below this line is a copy of the message.\n\n"
    + RETURNED
)
case("bounce-yahoo", mail(YAHOO, headers=DAEMON, subject="Failure Notice"), **OURS, status=["failed"], code="554")
EXCHANGE = "Your message did not reach some or all of the intended recipients.\n\n      Subject:  Offer\n      Sent:     22/11/2026 08:00\n\nThe following recipient(s) cannot be reached:\n\n      bob@client.example on 22/11/2026 08:01\n            The e-mail account does not exist at the organization. <mx.client.example #5.1.1>\n"
case(
    "bounce-exchange-2003",
    mail(
        "--b1\n" + plain(EXCHANGE) + f"\n--b1\nContent-Type: message/rfc822\n\n{RETURNED}\nHello\n--b1--\n",
        headers=DAEMON.replace("MAILER-DAEMON", "postmaster") + 'Content-Type: multipart/mixed; boundary="b1"\n',
        subject="Undeliverable: Offer",
    ),
    **OURS,
    status=["failed"],
    code="5.1.1",
)
case(
    "bounce-html-only",
    mail(
        f"<p>Delivery has failed to these recipients: bob@client.example</p><p>550 5.1.1 not found</p><pre>Original message headers:\n{RETURNED.replace('<', '&lt;')}</pre>",
        headers=DAEMON + "Content-Type: text/html\n",
        subject="Undeliverable: Offer",
    ),
    kind="receipt",
    status=["failed"],
    target_external_id=OUR_ID,
)
case("bounce-words-from-a-person", mail(QMAIL, subject="failure notice"), kind="message")
case(
    "bounce-words-no-id",
    mail("could not be delivered", headers=DAEMON, subject="failure notice"),
    kind="message",
    auto_submitted=True,
)

MDN = f"Reporting-UA: mail.client.example; Outlook\nFinal-Recipient: rfc822;bob@client.example\nOriginal-Message-ID: <{OUR_ID}>\nDisposition: manual-action/MDN-sent-manually; displayed\n"
case(
    "mdn-displayed",
    report(
        "Your message was read.",
        MDN,
        kind="disposition-notification",
        sender="bob@client.example",
        returned="",
        subject="Read: Offer",
    ),
    **OURS,
    status=["read"],
)
case(
    "mdn-deleted",
    report(
        "Deleted unread.",
        MDN.replace("displayed", "deleted"),
        kind="disposition-notification",
        sender="bob@client.example",
        returned="",
    ),
    **OURS,
    status=["delivered"],
)
case(
    "mdn-no-original-id",
    report(
        "Read",
        MDN.replace(f"Original-Message-ID: <{OUR_ID}>\n", ""),
        kind="disposition-notification",
        sender="bob@client.example",
        returned="",
    ),
    kind="message",
)

ARF = "Feedback-Type: abuse\nUser-Agent: SomeISP-FBL/1.0\nVersion: 1\nOriginal-Mail-From: <support@acme.example>\nOriginal-Rcpt-To: <bob@client.example>\n"
STOP = {
    "kind": "consent",
    "consent": "stop",
    "sender": "bob@client.example",
    "correlation_id": MESSAGE,
    "target_external_id": OUR_ID,
}
case(
    "complaint-arf",
    report(
        "This is an email abuse report.",
        ARF,
        kind="feedback-report",
        sender="fbl@isp.example",
        subject="FW: Offer",
        returned_type="message/rfc822",
    ),
    **STOP,
)
case(
    "complaint-redacted-recipient",
    report(
        "Abuse",
        ARF.replace("Original-Rcpt-To: <bob@client.example>\n", ""),
        kind="feedback-report",
        sender="fbl@isp.example",
    ),
    **STOP,
)
case(
    "complaint-about-foreign-mail",
    report(
        "Abuse",
        ARF.replace("support@acme", "spam@evil"),
        kind="feedback-report",
        sender="fbl@isp.example",
        returned=RETURNED.replace(OUR_ID, "x@evil").replace("support@acme", "spam@evil"),
    ),
    kind="message",
)
case(
    "complaint-names-nobody",
    report(
        "Abuse",
        "Feedback-Type: abuse\n",
        kind="feedback-report",
        sender="fbl@isp.example",
        returned=RETURNED.replace("To: Bob <bob@client.example>\n", ""),
    ),
    kind="message",
)
case(
    "complaint-taken-back",
    report("Not spam", ARF.replace("abuse", "not-spam"), kind="feedback-report"),
    error="UnsupportedPayload",
)


def tnef(*files: tuple[str, bytes]) -> bytes:
    out = struct.pack("<IH", 0x223E9F78, 1) + _attribute(1, 0x9006, b"\x00\x00\x01\x00")
    for name, content in files:
        out += (
            _attribute(2, 0x9002, b"\x00" * 14)
            + _attribute(2, 0x8010, name[:8].encode() + b"\x00")
            + _attribute(2, 0x800F, content)
        )
        long_name = name.encode("utf-16-le") + b"\x00\x00"
        padded = long_name + b"\x00" * (-len(long_name) % 4)
        out += _attribute(2, 0x9005, struct.pack("<IHHII", 1, 0x001F, 0x3707, 1, len(long_name)) + padded)
    return out


def _attribute(level: int, name: int, data: bytes) -> bytes:
    return struct.pack("<BHHI", level, name, 0x0006, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def winmail(data: bytes) -> str:
    encoded = base64.encodebytes(data).decode()
    part = f'Content-Type: application/ms-tnef; name="winmail.dat"\nContent-Transfer-Encoding: base64\n\n{encoded}'
    return mail(joined(plain("See attached"), part), headers='Content-Type: multipart/mixed; boundary="b1"\n')


case(
    "tnef-two-files",
    winmail(tnef(("Angebot für Bob.pdf", b"%PDF-1.7"), ("logo.png", b"\x89PNG"))),
    text="See attached",
    files=[("Angebot für Bob.pdf", "file", 8), ("logo.png", "image", 4)],
    refs=["2/tnef:0", "2/tnef:1"],
)
case("tnef-body-only", winmail(tnef()), files=[("winmail.dat", "file", None)])
case("tnef-cut", winmail(tnef(("a.pdf", b"x" * 100))[:90]), files_count=1)
case("tnef-not-tnef", winmail(b"garbage" * 10), files=[("winmail.dat", "file", 70)])
case("tnef-path-in-name", winmail(tnef(("..\\..\\evil.exe", b"MZ"))), files=[("evil.exe", "file", 2)])
