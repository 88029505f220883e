"""Policies of answers: what does not fall back to default-src is said in each of them."""

from __future__ import annotations

import re
from pathlib import Path

API = Path(__file__).parents[3] / "api"


def test_every_policy_names_what_has_no_fallback():
    """base-uri and frame-ancestors are in every policy we write; and nothing loads that is not named."""
    policies = {}
    for path in sorted(API.glob("*.py")):
        text = re.sub(r"\"\s*\n\s*f?\"", "", path.read_text())
        policies |= {
            f"{path.name}: {one[:40]}": one for one in re.findall(r"\"((?:sandbox[^\"]*; )?default-src [^\"]+)\"", text)
        }
    policies.pop("headers.py: default-src 'none'", None)
    assert len(policies) >= 6
    for where, policy in policies.items():
        assert "default-src 'none'" in policy, where
        assert "frame-ancestors" in policy, where
        assert "base-uri 'none'" in policy, where


def test_page_policy_names_them_too():
    """The inbox's own page, whose policy is put together."""
    from api.auth import edge_of
    from api.headers import page_policy
    from hub.config import read_settings

    settings = read_settings({"HOME": "/home/nobody", "HUB_PUBLIC_URL": "https://hub.example"})
    said = page_policy(settings, edge_of(settings), nonce="n").split("; ")
    assert {"default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(said)
