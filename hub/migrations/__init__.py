"""Schema migrations: Alembic keeps the order, each step is hand-written SQL beside it."""
