"""Messages that change: edits with their history, deletions, reactions, quotes, and what we do at vendors about them."""

from hub.migrations.step import run_sql

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
