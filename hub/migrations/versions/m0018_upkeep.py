"""What the hub does for an account by itself: hints, renewals, history, outages; windows and templates."""

from hub.migrations.step import run_sql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
