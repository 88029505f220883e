"""The audit log, and the queue of mails the hub itself sends."""

from hub.migrations.step import run_sql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
