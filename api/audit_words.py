"""What actions of the audit log are called in words; an action that is not listed shows as its own name."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, str]] = {
    "api_key.made": "Made an API key",
    "api_key.changed": "Changed an API key",
    "api_key.revoked": "Revoked an API key",
    "audit.exported": "Exported the audit log",
    "channel_account.connected": "Connected a channel account",
    "channel_account.changed": "Changed a channel account",
    "channel_account.paused": "Paused a channel account",
    "channel_account.resumed": "Resumed a channel account",
    "channel_account.removed": "Removed a channel account",
    "channel_account.refused": "A vendor refused a channel account's keys",
    "dead_letter.dropped": "Dropped an item that could not be stored",
    "dead_letter.replayed": "Took in again an item that could not be stored",
    "demo.added": "Added the demo",
    "demo.removed": "Removed the demo",
    "inbox.access_changed": "Changed who sees an inbox",
    "inbox.made": "Made an inbox",
    "inbox.renamed": "Renamed an inbox",
    "installation.set_up": "Set up the installation",
    "invitation.made": "Invited somebody",
    "invitation.accepted": "Accepted an invitation",
    "invitation.revoked": "Took back an invitation",
    "login.email_changed": "Changed the sign-in address",
    "login.password_changed": "Changed a password",
    "login.refused": "Failed to sign in",
    "login.registered": "Registered",
    "login.verified": "Verified an address",
    "member.added": "Added a member",
    "member.deactivated": "Deactivated a member",
    "member.reactivated": "Took a member back",
    "member.renamed": "Renamed a member",
    "member.role_changed": "Changed a member's role",
    "passkey.added": "Added a passkey",
    "passkey.removed": "Removed a passkey",
    "recovery_codes.made": "Made recovery codes",
    "role.made": "Made a role",
    "role.changed": "Changed a role",
    "role.removed": "Removed a role",
    "session.started": "Signed in",
    "session.ended": "Signed out",
    "session.revoked": "Ended a session",
    "team.made": "Made a team",
    "team.changed": "Changed a team",
    "team.removed": "Removed a team",
    "totp.enabled": "Turned on codes from an authenticator",
    "totp.disabled": "Turned off codes from an authenticator",
    "workspace.made": "Made the workspace",
    "workspace.renamed": "Renamed the workspace",
}


def words_of(action: str) -> str:
    """Return an action in words: ``team.split_up`` becomes "Team split up" where nobody wrote better ones."""
    return WORDS.get(action) or action.replace(".", " ").replace("_", " ").capitalize()
