"""Runs the SQL file beside a migration inside the migration's own transaction."""

from __future__ import annotations

from pathlib import Path

from alembic import op


def run_sql(migration_file: str) -> None:
    """
    Execute ``<name>.sql`` beside the migration, a script of any number of statements.

    Args:
        migration_file: ``__file__`` of the migration.
    """
    script = Path(migration_file).with_suffix(".sql").read_text("utf-8")
    op.execute("SELECT 1")  # opens the adapter's transaction: the script below goes straight to the driver
    connection = op.get_bind().connection.dbapi_connection
    if connection is None:
        raise RuntimeError("a migration ran without a connection")
    connection.run_async(lambda driver: driver.execute(script))
