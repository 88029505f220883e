"""Who is who in a workspace: our own app, our people there, and everybody else, who is a customer. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from connectors.slack.events import Said

OTHERS_ONLY: Final = "people of other organisations"
EVERYBODY: Final = "everybody"
_MEMBER: Final = re.compile(r"[UW][A-Z0-9]{2,31}")


class Ours(msgspec.Struct, frozen=True):
    """
    What an account's settings say of us.

    Attributes:
        bot_name: What our app is called there, shown where somebody mentions it.
        colleagues: Slack's ids of people whose messages are our answers.
        only_others: Whether everybody of our own organisation is a colleague.
    """

    team_id: str
    bot_user_id: str
    bot_id: str
    app_id: str
    bot_name: str
    colleagues: frozenset[str]
    only_others: bool

    def is_app(self, said: Said) -> bool:
        """Say whether our own app wrote it: by any of its three names, never by what it is called."""
        app_id = said.app_id or (said.bot_profile.app_id if said.bot_profile else None)
        names = ((said.bot_id, self.bot_id), (said.user, self.bot_user_id), (app_id, self.app_id))
        return any(theirs and theirs == mine for theirs, mine in names)

    def is_colleague(self, said: Said) -> bool:
        """Say whether one of our own people wrote it, in Slack itself."""
        if said.user in self.colleagues:
            return True
        team = said.user_team or said.source_team or said.team
        return self.only_others and bool(team) and team == self.team_id

    def named(self, text: str) -> str:
        """Name our app where a text only has its id; other people's names are not known here."""
        if not self.bot_user_id or not self.bot_name:
            return text
        return text.replace(f"<@{self.bot_user_id}>", f"<@{self.bot_user_id}|{self.bot_name}>")

    def is_ours(self, user: str) -> bool:
        """Say whether an id alone is known to be our app's or a colleague's."""
        return user == self.bot_user_id or user in self.colleagues


def read_ours(settings: Mapping[str, str]) -> Ours:
    """Read an account's settings."""
    return Ours(
        team_id=settings.get("team_id", ""),
        bot_user_id=settings.get("bot_user_id", ""),
        bot_id=settings.get("bot_id", ""),
        app_id=settings.get("app_id", ""),
        bot_name=settings.get("bot_name", ""),
        colleagues=frozenset(_MEMBER.findall(settings.get("colleagues", "").upper())),
        only_others=settings.get("customers", "") == OTHERS_ONLY,
    )
