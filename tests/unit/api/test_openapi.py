"""The OpenAPI document as a machine reads it, and the page people read."""

from __future__ import annotations

import asyncio
import json
import re
from html.parser import HTMLParser

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.docs_page import page_of
from api.openapi import Written, document
from api.route import Access
from api.routes import ROUTES
from hub.accounts.model import Permission

DOCUMENT = json.loads(json.dumps(document(ROUTES)))
OPERATIONS = [
    (f"{method} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
PAGE = page_of(DOCUMENT)
# Lists that are whole by nature: of what this version is made of, or needed whole by everybody who reads anything.
WHOLE_LISTS = {
    "/api/v1/channels",
    "/api/v1/operator/flags",
    "/api/v1/permissions",
    "/channel-accounts",
    # What the vendor lists of one account; the picker searches in all of it.
    "/channel-accounts/{channel_account_id}/templates",
    # A message is edited a few times, and no more than a hundred are shown.
    "/conversations/{conversation_id}/messages/{message_id}/versions",
    # A workspace has a handful of each.
    "/domains",
    "/inboxes",
    "/roles",
    "/teams",
    "/audit/actions",
    # Pages by what comes after: heads are read oldest first.
    "/audit/heads",
    # One person's own.
    "/api/v1/sessions",
    "/api/v1/workspaces",
    "/api/v1/identities",
    # What the operator set up.
    "/api/v1/sign-in/issuers",
}


def operation_of(method: str, path: str) -> dict:
    return DOCUMENT["paths"][f"/api/v1/workspaces/{{workspace_id}}{path}"][method]


def test_document_is_valid_openapi():
    """The validator of the specification finds nothing."""
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_examples_fit_their_schemas(name, operation):
    """Every example of a body and of an answer is one its schema takes."""
    contents = [operation.get("requestBody", {}), *operation["responses"].values()]
    for content in contents:
        for media in content.get("content", {}).values():
            if "example" in media:
                schema = {**media["schema"], "components": DOCUMENT["components"]}
                errors = list(OAS31Validator(schema).iter_errors(media["example"]))
                assert errors == [], f"{name}: {errors[0].message}"


def test_problems_have_fitting_examples():
    """Each shared refusal shows a problem of its own status."""
    for name, answer in DOCUMENT["components"]["responses"].items():
        (media,) = answer["content"].values()
        schema = {**media["schema"], "components": DOCUMENT["components"]}
        assert list(OAS31Validator(schema).iter_errors(media["example"])) == [], name


@pytest.mark.parametrize("route", ROUTES, ids=[f"{one.method} {one.path}" for one in ROUTES])
def test_operation_says_who_may_call(route):
    """Keys are named exactly where they are taken, and nothing is open that is not."""
    operation = DOCUMENT["paths"][route.plain_path][route.method.lower()]
    kinds = {name for one in operation["security"] for name in one}
    assert ("api_key" in kinds) is (isinstance(route.access, Permission) and not route.people_only)
    assert (kinds == set()) is (route.access in (Access.OPEN, Access.VENDOR))
    if isinstance(route.access, Permission):
        assert {"401", "403", "404", "429", "503"} <= operation["responses"].keys()


def test_headers_are_described_where_they_are():
    """Idempotency-Key on POST, If-Match and ETag on versioned rows, RateLimit on counted calls."""
    post = operation_of("post", "/conversations/{conversation_id}/messages")
    patch = operation_of("patch", "/contacts/{contact_id}")
    assert "Idempotency-Key" in {one["name"] for one in post["parameters"]}
    assert "If-Match" in {one["name"] for one in patch["parameters"]}
    assert {"ETag", "RateLimit-Remaining"} <= patch["responses"]["200"]["headers"].keys()
    assert "412" in patch["responses"]


def test_every_list_is_paged():
    """A GET whose answer holds a list of rows takes ``before`` and ``limit`` and answers ``next``."""
    unpaged = set()
    for route in ROUTES:
        if route.method != "GET" or route.answer is None or not isinstance(route.access, Permission | Access):
            continue
        last = route.path.rpartition("/")[2]
        fields = route.answer.__struct_fields__
        names = {last.replace("-", "_"), "keys" if last in ("personal-tokens", "api-keys") else last}
        answer = DOCUMENT["paths"][route.plain_path]["get"]["responses"]["200"]["content"]["application/json"][
            "example"
        ]
        is_list = any(isinstance(answer.get(name), list) for name in names)
        if not is_list:
            continue
        if "next" not in fields or "before" not in route.query:
            unpaged.add(route.path.removeprefix("/api/v1/workspaces/{workspace_id}"))
    assert unpaged == WHOLE_LISTS


class Parsed(HTMLParser):
    """The page's elements, ids and links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src"):
                self.links.append(value)


def test_page_is_complete_and_links_hold():
    """Every operation has its place, every inner link an end, and no id stands twice."""
    page = Parsed(PAGE)
    assert {operation["operationId"] for _, operation in OPERATIONS} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_page_needs_no_script_and_nothing_from_elsewhere():
    """Fit for a policy without inline script or style: no script, no style, no handler, only our own addresses."""
    page = Parsed(PAGE)
    assert not {"script", "style", "iframe", "img"} & set(page.tags)
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}
    assert {link for link in page.links if not link.startswith("#")} == {"/api/docs.css", "/api/v1/openapi.json"}


def test_page_escapes_what_it_shows():
    """Nothing of the document becomes an element."""
    wicked = json.loads(json.dumps(DOCUMENT).replace("Everything the inbox does", "x"))
    wicked["info"]["title"] = "<script>alert(1)</script>"
    wicked["info"]["description"] = "`<img src=x>`"
    assert not {"script", "img"} & set(Parsed(page_of(wicked)).tags)


def test_every_problem_type_has_its_place():
    """The ``type`` of a problem leads to its explanation."""
    from api.errors import STATUSES, error_answer
    from hub.errors import Conflict, NotFound

    assert STATUSES
    for error in (Conflict("x"), NotFound("x")):
        link = json.loads(error_answer(error).body)["type"]
        assert link.partition("#")[2] in Parsed(PAGE).ids
    assert re.search(r"color-scheme", PAGE)


async def test_document_is_written_once_for_all_who_ask():
    """Many who ask at once get the same bytes, of one making; whoever comes later too."""
    written = Written(ROUTES[:3])
    first = await asyncio.gather(*(written.text() for _ in range(5)))

    assert len({id(one) for one in (*first, await written.text())}) == 1
    assert list(json.loads(first[0])["paths"]) == list(dict.fromkeys(route.plain_path for route in ROUTES[:3]))
