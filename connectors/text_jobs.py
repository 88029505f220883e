"""The job that seals and opens stored texts of messages; made by ``connectors/work.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub import clock
from hub.errors import NotFound, Unavailable
from hub.jobs import Job
from hub.log import get_logger
from hub.texts import store
from hub.texts.rewriting import Rewriting

if TYPE_CHECKING:
    from hub.db import Database

EVERY_S: Final = 2.0
# Each may take minutes; the others get their turn in other processes, or next.
AT_ONCE: Final = 5

_log = get_logger("connectors.texts")


def text_job(database: Database) -> Job:
    """Make the job; it may run in any number of processes, one workspace is in one of them at a time."""
    rewriting = Rewriting(database)

    async def run_due() -> int:
        done = 0
        for workspace_id in await store.due(database, clock.now(), AT_ONCE):
            try:
                done += await rewriting.run(workspace_id)
            except NotFound:
                continue
            except Unavailable:
                raise
            except Exception as error:  # loop: one that cannot be done must not keep the others waiting
                _log.error("text_job_failed", workspace_id=workspace_id, error=type(error).__name__)
        return done

    return Job("text_sealing", EVERY_S, run_due)
