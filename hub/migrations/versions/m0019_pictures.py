"""Whose mails show their pictures without being asked."""

from hub.migrations.step import run_sql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
