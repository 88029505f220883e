"""The documentation as it is served, and keys of calls outside workspaces."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

HUB = "http://localhost:8000"


async def test_page_is_served_under_a_policy_without_script(owner):
    """The page and its style come from us, and the browser is told to run nothing and load nothing else."""
    page, style = await owner.get(f"{HUB}/api/docs"), await owner.get(f"{HUB}/api/docs.css")
    policy = page.headers["content-security-policy"]
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "default-src 'none'" in policy
    assert "style-src 'self'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "/api/v1/workspaces/{workspace_id}/api-keys" in page.text
    assert "prefers-color-scheme: dark" in style.text


async def test_call_outside_workspaces_is_done_once(owner, parts, workspace):
    """A POST of a session takes the header too: a second ticket is not made, and the first not shown again."""
    tickets = parts.tickets
    body, headers = {"workspace_id": workspace.id}, {"idempotency-key": "t-1"}
    first = await owner.post(f"{HUB}/api/v1/socket-tickets", json=body, headers=headers)
    again = await owner.post(f"{HUB}/api/v1/socket-tickets", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (200, 409)
    assert len(tickets.issued) == 1
