"""The backup and restore of docs/runbook.md, "With Docker Compose": a dump of one cluster comes up in a new one."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose import ROOT
from tests.integration.scripts.compose_stack import ComposeStack

pytestmark = [pytest.mark.processes, pytest.mark.slow]

OWNER = ("--workspace", "Northwind", "--email", "ola@northwind.example", "--password", "correct horse battery")
EPOCH = "SELECT epoch FROM installation"


@pytest.fixture
def clusters() -> Iterator[tuple[ComposeStack, ComposeStack]]:
    """Two databases as the file's `postgres` and `migrate` leave them."""
    with tempfile.TemporaryDirectory(prefix="hub-restore-") as name:
        made = tuple(ComposeStack(Path(name) / one) for one in ("old", "new"))
        try:
            for one in made:
                one.start_database()
            yield made
        finally:
            for one in made:
                one.stop()


def command_of_the_runbook(program: str) -> str:
    """What the runbook runs in the Postgres container."""
    found = re.search(rf"compose exec -T postgres ({program} [^<>\n]+?) [<>]", (ROOT / "docs/runbook.md").read_text())
    assert found, f"docs/runbook.md does not run {program}"
    return found[1]


def test_dump_is_restored_into_a_new_cluster(clusters, tmp_path):
    """The restored hub knows its owner, its schema and its rights, and a second owner cannot be made."""
    old, new = clusters
    set_up = old.run_hub("serve", "setup", *OWNER)
    assert set_up.returncode == 0, set_up.stderr

    with (tmp_path / "hub.dump").open("wb") as dump:
        old.run_postgres(command_of_the_runbook("pg_dump"), stdout=dump)
    with (tmp_path / "hub.dump").open("rb") as dump:
        new.run_postgres(command_of_the_runbook("pg_restore"), stdin=dump)

    names = "SELECT name FROM workspace"
    assert (old.owner_sql(names), new.owner_sql(names)) == ("Northwind", "Northwind")
    again = new.run_hub("serve", "setup", *OWNER)
    assert again.returncode == 1
    assert "set up already" in again.stderr
    assert new.run_hub("migrate").returncode == 0
    granted = "SELECT has_database_privilege('hub', 'hub', 'CONNECT'), pg_has_role('hub', 'hub_app', 'SET')"
    assert new.owner_sql(granted) == "t|t"
