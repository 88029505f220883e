"""The newest revision, by file name and by Alembic."""

from __future__ import annotations

from alembic.script import ScriptDirectory

from hub.migrations.head import head_revision
from hub.migrations.runner import _config


def test_head_by_name_is_alembics_head():
    """File names and revisions say the same, and there is one line of migrations without branches."""
    assert ScriptDirectory.from_config(_config()).get_heads() == [head_revision()]
