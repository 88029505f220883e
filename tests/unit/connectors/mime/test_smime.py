"""An opaque signature made by a library that is not ours is opened, its files too."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from connectors.mime.parse import parse_mail, read_part
from connectors.mime.smime import signed_content
from tests.corpus.mail import CONTEXT, mail

ENTITY = (
    b'Content-Type: multipart/mixed; boundary="s1"\r\n\r\n--s1\r\nContent-Type: text/plain\r\n\r\nSigned words\r\n--s1\r\n'
    b'Content-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--s1--\r\n'
)


def signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ann")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    builder = pkcs7.PKCS7SignatureBuilder().set_data(ENTITY).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def test_parse_mail_reads_what_another_library_signed():
    """Text and files are those that were signed."""
    head = "Content-Type: application/pkcs7-mime; smime-type=signed-data\nContent-Transfer-Encoding: base64\n"
    raw = mail(base64.encodebytes(signed()).decode(), headers=head).encode()

    (item,) = parse_mail(raw, CONTEXT)

    assert item.text == "Signed words"
    assert [one.filename for one in item.attachments] == ["a.pdf"]
    assert read_part(raw, item.attachments[0].ref) == b"%PDF"


@pytest.mark.parametrize("cut", [0, 5, 30, 60, 100])
def test_signed_content_of_a_broken_signature_is_none_or_a_piece(cut):
    """A cut structure never raises and never gives more than was there."""
    content = signed_content(signed()[:cut])

    assert content is None or ENTITY.startswith(content)
