"""Second factors of logins: TOTP secrets, recovery codes, passkeys; workspaces that ask everybody for one."""

from hub.migrations.step import run_sql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__, has_functions=True)
