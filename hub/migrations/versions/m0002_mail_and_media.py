"""Mail, files, items by reference, what waits for a message, the spool, cursors of polled channels, the demo's mark."""

from hub.migrations.step import run_sql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
