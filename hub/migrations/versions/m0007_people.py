"""Custom roles, teams, inbox access by team, invitations, domains, hand-overs, profiles, deleted workspaces."""

from hub.migrations.step import run_sql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
