"""API keys, limits of workspaces, and the answers of calls that may be repeated."""

from hub.migrations.step import run_sql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
