"""The audit log as chains of hashes, and their signed heads."""

from hub.migrations.step import run_sql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
