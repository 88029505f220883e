"""
The whole error tree, classified by what the caller must do next.

    HubError
    ├── InvalidInput            mend the named field and send again
    ├── NotSignedIn             sign in
    │   └── SecondFactorRequired  show a second factor, with ``challenge``
    ├── Forbidden               ask somebody with the permission
    │   ├── SecondFactorNeeded  add a second factor: this workspace asks everybody for one
    │   └── ProofNeeded         prove who you are again, by one of ``methods``
    ├── NotFound                nothing by that id for this workspace
    ├── Conflict                the row moved on; read it again
    │   └── EditClash           two changed one field: both values are in it
    ├── PreconditionFailed      the version named is not known any more; read it again
    ├── TooLarge                send less at once
    ├── UnsupportedMediaType    send JSON
    ├── TooManyRequests         wait retry_after_s
    ├── Unavailable             a store is down; wait retry_after_s
    ├── ConfigurationError      an operator must change the environment
    ├── SchemaMismatch          migrate, or run the newer version
    ├── SignatureRejected       a webhook not signed by its vendor: 401, nothing stored
    ├── MalformedPayload        signed, but not of the vendor's shape: dead letter
    ├── UnsupportedPayload      known vendor, kind we do not handle: counted, acknowledged
    └── ConnectorError          a vendor refused or failed; ``info.klass`` says what the queue does

Domain code raises these; only ``api/errors.py`` knows HTTP and only ``realtime/protocol.py`` knows close codes.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class HubError(Exception):
    """Base of every error we raise on purpose."""

    code: str = "internal"

    def __init__(self, message: str, *, field: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s


class InvalidInput(HubError):
    """A value from outside is wrong; ``field`` names it."""

    code = "invalid_input"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message, field=field)


class NotSignedIn(HubError):
    code = "not_signed_in"

    def __init__(self, message: str = "Sign in first.") -> None:
        super().__init__(message)


class SecondFactorRequired(NotSignedIn):
    """The password was right; ``challenge`` goes back with one of ``methods``."""

    code = "second_factor_required"

    def __init__(self, challenge: str, methods: tuple[str, ...]) -> None:
        super().__init__("Now show your second factor.")
        self.challenge = challenge
        self.methods = methods


class Forbidden(HubError):
    code = "forbidden"

    def __init__(self, message: str = "You do not have permission to do this.") -> None:
        super().__init__(message)


class SecondFactorNeeded(Forbidden):
    code = "second_factor_needed"

    def __init__(self) -> None:
        super().__init__("This workspace asks everybody for a second factor. Add one in your settings first.")


class ProofNeeded(Forbidden):
    """A dangerous call, and too long since this session was proved; ``methods`` are the ways to do it."""

    code = "proof_needed"

    def __init__(self, methods: tuple[str, ...]) -> None:
        super().__init__("Confirm that it is you, then try again." if methods else "Sign in again, then try once more.")
        self.methods = methods


class WorkspaceSuspended(Forbidden):
    """The operator of the installation closed a workspace to its members; ``why`` is in the operator's words."""

    code = "workspace_suspended"

    def __init__(self, why: str) -> None:
        super().__init__(f"This workspace is suspended by the people who run this hub. {why}".strip())
        self.why = why


class NotFound(HubError):
    code = "not_found"

    def __init__(self, kind: str) -> None:
        super().__init__(f"There is no such {kind}.")
        self.kind = kind


class Conflict(HubError):
    code = "conflict"


class EditClash(Conflict):
    """
    Somebody else changed the same field meanwhile.

    Attributes:
        yours: The value that was to be written, as JSON has it.
        theirs: The value that is there.
    """

    def __init__(self, field: str, yours: object, theirs: object) -> None:
        super().__init__("Somebody else changed this meanwhile. Look at both values and choose.", field=field)
        self.yours = yours
        self.theirs = theirs


class LimitReached(HubError):
    """A workspace has as much of something as it may; ``field`` names the limit, ``most`` is it."""

    code = "limit_reached"

    def __init__(self, limit: str, message: str, most: int) -> None:
        super().__init__(message, field=limit)
        self.most = most


class PreconditionFailed(HubError):
    code = "precondition_failed"


class TooLarge(HubError):
    """A body is longer than ``limit_bytes``."""

    code = "too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"This is too large: at most {limit_bytes:,} bytes are taken.")


class UnsupportedMediaType(HubError):
    """A body is said to be something we do not read."""

    code = "unsupported_media_type"

    def __init__(self) -> None:
        super().__init__("Send JSON, with Content-Type: application/json.")


class TooManyRequests(HubError):
    code = "too_many_requests"

    def __init__(self, retry_after_s: float, message: str = "Too many requests.") -> None:
        super().__init__(message, retry_after_s=retry_after_s)


class Unavailable(HubError):
    code = "unavailable"

    def __init__(self, message: str, retry_after_s: float = 5.0) -> None:
        super().__init__(message, retry_after_s=retry_after_s)


class ConfigurationError(HubError):
    code = "configuration"


class SchemaMismatch(HubError):
    code = "schema_mismatch"


class SignatureRejected(HubError):
    code = "signature_rejected"


class SigningKeyUnknown(SignatureRejected):
    """The key that signed is not among those we have; newer ones may hold it."""


class MalformedPayload(HubError):
    code = "malformed_payload"


class UnsupportedPayload(HubError):
    code = "unsupported_payload"


class ErrorClass(StrEnum):
    """What the delivery queue does about a vendor's refusal (reference: channels, uniform interface)."""

    RETRYABLE = "retryable"
    RATE_LIMITED = "rate_limited"
    AMBIGUOUS = "ambiguous"
    AUTH = "auth"
    PERMISSION = "permission"
    WINDOW_CLOSED = "window_closed"
    RECIPIENT = "recipient"
    CONTENT = "content"
    ACCOUNT = "account"
    UNSUPPORTED = "unsupported"
    PERMANENT = "permanent"


class ConnectorErrorInfo(msgspec.Struct, frozen=True):
    """
    A vendor's failure in our words.

    Attributes:
        klass: What the queue does next.
        code: The vendor's code verbatim, e.g. ``"21610"``.
        message: Safe to show to a member: no tokens, no addresses, no URLs.
        retry_after_s: Seconds to wait, where the vendor said so.
        bucket: The rate bucket to drain, where the vendor named one.
    """

    klass: ErrorClass
    code: str
    message: str
    retry_after_s: float | None = None
    bucket: str | None = None


class ConnectorError(HubError):
    code = "connector"

    def __init__(self, info: ConnectorErrorInfo) -> None:
        super().__init__(info.message, retry_after_s=info.retry_after_s)
        self.info = info


class EnteredKeyRefused(ConnectorError):
    """A key that a member entered was refused: renewing what the vendor granted mends nothing."""
