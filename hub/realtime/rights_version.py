"""What is known of the version of a workspace's rights where its feed stands. Pure; used by ``feed.py``."""

from __future__ import annotations


class RightsVersion:
    """
    Which version of a workspace's rights holds where its feed stands, as far as the log and the store told.

    An action that changes rights appends an event in the same transaction, so the log itself says when what is known
    became old; only the store says what the new version is.
    """

    __slots__ = ("_doubted_at", "_read_at", "version")

    def __init__(self) -> None:
        self.version = 0
        self._read_at = 0
        self._doubted_at = 0

    def doubt(self, seq: int) -> None:
        """Note that the event of this seq may have changed them."""
        self._doubted_at = seq

    def learn(self, version: int, seq: int) -> None:
        """Take what the store said when the feed stood at ``seq``, or later."""
        self.version = max(self.version, version)
        self._read_at = max(self._read_at, seq)

    def are(self, version: int) -> bool:
        """Say whether a grant of this version holds now; False where that must be asked."""
        return version == self.version and self._read_at >= self._doubted_at
