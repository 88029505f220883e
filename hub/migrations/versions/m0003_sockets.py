"""What a process asks when many sockets come back at once."""

from hub.migrations.step import run_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
