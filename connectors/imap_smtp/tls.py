"""Makes connections private, and says why one could not be."""

from __future__ import annotations

import ssl
from socket import socket

from hub.errors import ConnectorErrorInfo, ErrorClass


def make_private(plain: socket, host: str) -> ssl.SSLSocket:
    """Speak TLS over a connected socket, with the certificate checked against the name a member entered."""
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def describe_tls(problem: ssl.SSLError) -> ConnectorErrorInfo:
    """Say why a connection could not be made private."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        # A renewal that was forgotten passes; a wrong name is a wrong server. Neither is safe to connect to.
        words = "The server's certificate is not valid for its name. Is the server's name right?"
        return ConnectorErrorInfo(ErrorClass.RETRYABLE, "certificate", words)
    words = "No private connection could be made. Ports 993 and 465 go with TLS, 143 and 587 with STARTTLS."
    return ConnectorErrorInfo(ErrorClass.RETRYABLE, "tls", words)
