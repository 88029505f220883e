"""Fields of queued mails: sealed by anybody, opened by whoever holds the secret key, for the one mail."""

from __future__ import annotations

from uuid import uuid4

import pytest

from hub.channels.sealing import Sealer
from hub.errors import ConfigurationError
from hub.mailer.vault import PURPOSE, Vault

FIELDS = {"url": "https://hub.example/reset#secret", "name": "Änn"}


def vault(*versions: int) -> Vault:
    return Vault(Sealer({one: f"{one}" * 40 for one in versions}).derive_keys(PURPOSE))


def test_fields_open_for_their_mail():
    """And nothing of them shows in what is stored."""
    ours, mail_id = vault(1), uuid4()
    sealed = ours.newest.seal(mail_id, FIELDS)
    assert b"secret" not in sealed
    assert ours.open(mail_id, 1, sealed) == FIELDS


def test_fields_open_for_no_other_mail():
    """Moved to another row they are worth nothing."""
    ours = vault(1)
    sealed = ours.newest.seal(uuid4(), FIELDS)
    with pytest.raises(ConfigurationError):
        ours.open(uuid4(), 1, sealed)


def test_changed_or_foreign_fields_do_not_open():
    """One bit, another key, another version."""
    ours, mail_id = vault(1), uuid4()
    sealed = ours.newest.seal(mail_id, FIELDS)
    for key, version, value in (
        (ours, 1, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (ours, 1, b""),
        (vault(2), 2, sealed),
        (ours, 2, sealed),
    ):
        with pytest.raises(ConfigurationError):
            key.open(mail_id, version, value)


def test_a_new_secret_key_opens_what_the_old_one_sealed():
    """While both are named, as everywhere."""
    mail_id = uuid4()
    sealed = vault(1).newest.seal(mail_id, FIELDS)
    both = vault(1, 2)
    assert both.newest.version == 2
    assert both.open(mail_id, 1, sealed) == FIELDS
