"""Signing up, sign-ins half done, and what is known of each session."""

from hub.migrations.step import run_sql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
