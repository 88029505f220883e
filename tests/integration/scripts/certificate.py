"""A certificate made for one run of the tests, signed by nobody but itself, in files named as nginx's are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.certificates import make_certificate

if TYPE_CHECKING:
    from pathlib import Path


def write_certificate(folder: Path, name: str) -> Path:
    """
    Write ``fullchain.pem`` and ``privkey.pem`` for a host name.

    Returns:
        The certificate, for clients to trust.
    """
    folder.mkdir(parents=True)
    certificate, key = make_certificate(folder, name)
    key.chmod(0o600)
    key.rename(folder / "privkey.pem")
    return certificate.rename(folder / "fullchain.pem")
