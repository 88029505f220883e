"""What vendors say people are called: asked for once, kept with a small picture."""

from hub.migrations.step import run_sql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
