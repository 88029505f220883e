"""Accounts at issuers that open a login, refresh tokens, changes of address."""

from hub.migrations.step import run_sql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
