"""/metrics over real processes: every worker is on every page, and docs/metrics.md and docs/alerts.yml are true of it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from scripts.benchmarks.services import Services
from tests.acceptance.running import free_port
from tests.conftest import DatabaseUrls
from tests.processes import HubProcesses

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.processes]

DOCS = Path(__file__).parents[2] / "docs"
OURS = re.compile(r"\b((?:hub|process)_[a-z0-9_]+)\b")
# Whatever a message, a workspace or an account could be called by.
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


@pytest.fixture
async def hub(services: Services, database_urls: DatabaseUrls, redis_durable: str, redis_ephemeral: str, tmp_path):
    """Two serve workers on one port and a work process."""
    running = HubProcesses(
        tmp_path / "data",
        {
            "DATABASE_URL": database_urls.database_url,
            "REDIS_URL": redis_durable,
            "REDIS_EPHEMERAL_URL": redis_ephemeral,
            "HUB_PORT": str(free_port()),
        },
    )
    try:
        running.start("serve", "--workers", "2")
        running.start("work")
        running.wait_ready()
        yield running
    finally:
        running.stop()


def page(hub: HubProcesses) -> str:
    """Scrape as Prometheus does, over a connection of its own, so that either worker may answer."""
    return httpx.get(f"{hub.base_url}/metrics", timeout=10).text


def shown(text: str) -> set[tuple[str, str]]:
    found = re.findall(r'hub_build_info\{process="(\w+)",schema="\w+",version="[^"]+",worker="([^"]+)"\} 1\.0', text)
    return {(process, worker.rpartition("/")[2]) for process, worker in found}


def exported(text: str) -> set[str]:
    """Names as a person queries them: counters with _total, histograms without their parts."""
    families = text_string_to_metric_families(text)
    return {f"{one.name}_total" if one.type == "counter" else one.name for one in families}


def documented() -> set[str]:
    return set(re.findall(r"^\| `((?:hub|process)_[a-z0-9_]+)` \|", (DOCS / "metrics.md").read_text(), re.MULTILINE))


def wait_for_all(hub: HubProcesses) -> str:
    deadline = time.monotonic() + 20
    while True:
        text = page(hub)
        if shown(text) == {("serve", "0"), ("serve", "1"), ("work", "0")}:
            return text
        assert time.monotonic() < deadline, (shown(text), hub.log("serve"), hub.log("work"))
        time.sleep(0.2)


def test_page_shows_every_process_whoever_answers_and_is_documented(hub):
    """Twelve scrapes in a row each hold both serve workers and the work process; counts add up; names are documented."""
    text = wait_for_all(hub)
    for number in range(12):
        unknown = f"{hub.base_url}/webhooks/twilio_sms/00000000-0000-7000-8000-000000000001"
        assert httpx.post(unknown).status_code == 404
        assert httpx.post(f"{hub.base_url}/webhooks/made_up_{number}/x").status_code == 404
    deadline = time.monotonic() + 12
    while True:
        text = page(hub)
        assert shown(text) == {("serve", "0"), ("serve", "1"), ("work", "0")}
        counted = re.findall(r'hub_webhook_answers_total\{channel="(\w+)".*status="404".*\} ([\d.]+)', text)
        sums = {channel: sum(float(n) for name, n in counted if name == channel) for channel, _ in counted}
        if sums == {"twilio_sms": 12, "other": 12}:
            break
        assert time.monotonic() < deadline, counted
        time.sleep(0.2)

    # Families without a sample yet are announced by their HELP line all the same.
    assert exported(text) == documented()
    assert not IDS.search(text)
    assert "made_up" not in text
    assert "workspace" not in {
        label for one in text_string_to_metric_families(text) for s in one.samples for label in s.labels
    }


def test_process_that_ended_leaves_the_page(hub):
    """A stopped work process takes its counts along, and the page says that nobody works."""
    wait_for_all(hub)
    work = hub.running[1]
    work.terminate()
    work.wait(15)
    text = page(hub)
    assert ("work", "0") not in shown(text)
    assert re.search(r"^hub_workers 0\.0$", text, re.MULTILINE)


def test_alerts_are_rules_over_documented_metrics():
    """Every rule has an expression over metrics that exist, a severity and words; each metric it names is documented."""
    loaded = yaml.safe_load((DOCS / "alerts.yml").read_text())
    rules = [rule for group in loaded["groups"] for rule in group["rules"]]
    names = [rule["alert"] for rule in rules]
    parts = {f"{name}{part}" for name in documented() for part in ("", "_bucket", "_sum", "_count")}

    assert len(names) == len(set(names)) >= 15
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        expression = rule["expr"]
        assert expression.count("(") == expression.count(")")
        found = set(OURS.findall(re.sub(r'\{[^}]*\}|"[^"]*"', "", expression)))
        assert found, rule["alert"]
        assert found <= parts, rule["alert"]


def test_runbook_says_what_to_do_about_each_alert():
    """An alert without a line in the runbook is a riddle at three in the morning."""
    rules = yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"][0]["rules"]
    runbook = (DOCS / "runbook.md").read_text()
    assert [rule["alert"] for rule in rules if f"`{rule['alert']}`" not in runbook] == []
