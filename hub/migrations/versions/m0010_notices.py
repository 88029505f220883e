"""Mail that goes out, what members are told, and the browsers they are told in."""

from hub.migrations.step import run_sql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
