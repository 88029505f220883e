"""Rights that move are told of, stays that end say when, the audit log's end is noted and found by address."""

from hub.migrations.step import run_sql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
