"""The browsers of a login, as its owner sees them."""

from hub.migrations.step import run_sql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
