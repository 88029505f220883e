"""Channels connected by signing in at their vendor, their tokens, and what went wrong with each account."""

from hub.migrations.step import run_sql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
