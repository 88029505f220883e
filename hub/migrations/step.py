"""Runs the SQL file beside a migration inside the migration's own transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import op

# A function's new owner needs CREATE on its schema at that moment, and not afterwards.
_GIVE_FUNCTIONS_TO_ROUTER: Final = r"""
GRANT CREATE ON SCHEMA public TO hub_router;
DO $$
DECLARE
    listed text;
BEGIN
    FOR listed IN
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_roles r ON r.oid = p.proowner
        WHERE n.nspname = 'public' AND p.proname LIKE 'hub\_%' AND r.rolname <> 'hub_router'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', listed);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO hub_app', listed);
        EXECUTE format('ALTER FUNCTION %s OWNER TO hub_router', listed);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM hub_router;
"""


def run_sql(migration_file: str, *, has_functions: bool = False) -> None:
    """
    Execute ``<name>.sql`` beside the migration, a script of any number of statements.

    Args:
        migration_file: ``__file__`` of the migration.
        has_functions: Whether it makes functions that look across workspaces: afterwards every hub_… function is the
            router's, closed to PUBLIC and open to the application. (Revisions 0001 to 0003 do that themselves.)
    """
    script = Path(migration_file).with_suffix(".sql").read_text("utf-8")
    if has_functions:
        script += _GIVE_FUNCTIONS_TO_ROUTER
    op.execute("SELECT 1")  # opens the adapter's transaction: the script below goes straight to the driver
    connection = op.get_bind().connection.dbapi_connection
    if connection is None:
        raise RuntimeError("a migration ran without a connection")
    connection.run_async(lambda driver: driver.execute(script))
