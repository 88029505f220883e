"""Operators of the installation: limits, suspension, feature flags, entering a workspace, and usage by day."""

from hub.migrations.step import run_sql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
