"""Exports and erasures of people, how long conversations are kept, consents, and the end of deleted workspaces."""

from hub.migrations.step import run_sql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
