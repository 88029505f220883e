"""Where the hub's own mails go out: what is refused, and that no text repeats the password."""

from __future__ import annotations

import pytest

from hub.config import read_settings
from hub.errors import ConfigurationError

SENDER = "Hub <hub@hub.example>"


@pytest.mark.parametrize(
    "url",
    [
        "http://u:s3cret@mx.example",
        "smtp://u:s3cret@",
        "smtp://u:s3cret@mx.example:x",
        "smtp://u:s3cret@mx.example?tls=maybe",
        "smtp://u:s3cret@mx.example?tls=tls&tls=none",
        "smtp://u:s3cret@mx.example?tls=none",
        "smtp://u:s3cret@[::1",
    ],
)
def test_bad_servers_are_refused_without_their_password(url):
    """A password in the open to another machine is one of them."""
    with pytest.raises(ConfigurationError) as refused:
        read_settings({"HOME": "/tmp", "HUB_MAIL_URL": url, "HUB_MAIL_FROM": SENDER})
    assert refused.value.field == "HUB_MAIL_URL"
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize("sender", ["hub", "Hub <>", "Hub <hub@hub.example>\r\nBcc: x@y.example", "a b@c d"])
def test_bad_senders_are_refused(sender):
    """An address, perhaps with a name, in one line."""
    with pytest.raises(ConfigurationError) as refused:
        read_settings({"HOME": "/tmp", "HUB_MAIL_URL": "smtp://mx.example", "HUB_MAIL_FROM": sender})
    assert refused.value.field == "HUB_MAIL_FROM"


def test_server_and_sender_belong_together():
    """One without the other sends nothing; neither is fine."""
    for env in ({"HUB_MAIL_URL": "smtp://mx.example"}, {"HUB_MAIL_FROM": SENDER}):
        with pytest.raises(ConfigurationError):
            read_settings({"HOME": "/tmp", **env})
    assert read_settings({"HOME": "/tmp"}).mail is None
