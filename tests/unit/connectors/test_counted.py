"""Outcomes of deliveries are counted by channel, and only once they were recorded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from connectors.counted import CountedDeliveries
from hub.errors import Unavailable

CLAIMED = SimpleNamespace(due=SimpleNamespace(channel="twilio_sms"))


class Store:
    def __init__(self) -> None:
        self.is_away = False

    async def _done(self, *_, **__):
        if self.is_away:
            raise Unavailable("gone")

    mark_sent = mark_failed = retry_later = mark_unknown = leave_unknown = stop_account = _done


async def test_recorded_outcomes_are_counted_and_others_are_not():
    """Each step under its name; one whose COMMIT did not come is not there."""
    store = Store()
    counted = CountedDeliveries(store)
    await counted.mark_sent(CLAIMED, None)
    await counted.mark_failed(CLAIMED, None)
    await counted.retry_later(CLAIMED, None, None, charge_attempt=True)
    await counted.retry_later(CLAIMED, None, None, charge_attempt=False)
    await counted.mark_unknown(CLAIMED, None, None)
    await counted.leave_unknown(CLAIMED, None)
    await counted.stop_account(CLAIMED.due, None)
    store.is_away = True
    with pytest.raises(Unavailable):
        await counted.mark_sent(CLAIMED, None)

    names = ("sent", "failed", "retried", "put_back", "unknown", "left_unknown", "account_stopped")
    assert counted.outcomes == {("twilio_sms", name): 1 for name in names}
