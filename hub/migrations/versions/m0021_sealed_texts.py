"""Texts of messages sealed per workspace, where it asks for that; wraps of keys found by their version."""

from hub.migrations.step import run_sql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
