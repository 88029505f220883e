"""The table of routes and the document made from it."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from api.app import check_table
from api.openapi import document
from api.route import UNSAFE_METHODS, Access, Route
from api.routes import ROUTES
from hub.accounts.model import Permission
from hub.errors import ConfigurationError

DOCUMENT = json.loads(json.dumps(document(ROUTES)))
IDS = [f"{route.method} {route.path}" for route in ROUTES]


# For people who are no members of that workspace, or no longer: the handler looks who may.
FOR_STRANGERS = {f"/api/v1/workspaces/{{workspace_id}}/{one}" for one in ("joining", "restoration")}

TOLERANT = {
    "api.channel_accounts.ChangeRequest",
    "api.channel_accounts.ConnectRequest",
    "api.livechat_visit.VisitRequest",
    "api.notices.EndRequest",
    "api.notices.SubscriptionRequest",
}


async def handler(call: object) -> None:
    """Do nothing."""


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_route_says_who_may_call(route):
    """Each line names a permission or another access, and a permission exactly where there is a workspace."""
    assert isinstance(route.access, Permission | Access)
    assert isinstance(route.access, Permission) is (
        route.path.startswith("/api/v1/workspaces/{workspace_id}") and route.path not in FOR_STRANGERS
    )


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_open_write_is_on_the_short_list(route):
    """What anybody may change without a session is listed here by hand: a new such route is a decision."""
    if route.access is Access.OPEN and route.method in UNSAFE_METHODS:
        assert (route.method, route.path) in {
            ("POST", "/api/v1/setup"),
            ("POST", "/api/v1/session"),
            ("DELETE", "/api/v1/session"),
            ("POST", "/api/v1/password-links"),
            ("POST", "/api/v1/session/passkey/options"),
            ("POST", "/api/v1/session/passkey"),
            ("POST", "/api/v1/session/second-factor/options"),
            ("POST", "/api/v1/session/second-factor"),
            ("POST", "/api/v1/session/refresh"),
            ("POST", "/api/v1/address-changes/confirm"),
            ("POST", "/api/v1/address-changes/stop"),
            ("POST", "/api/v1/sign-in/issuers/{slug}"),
            ("POST", "/api/v1/sign-in/links"),
            ("POST", "/api/v1/registrations"),
            ("POST", "/api/v1/email-verifications"),
            ("POST", "/api/v1/password-resets"),
            ("POST", "/api/v1/invitations/accept"),
        }


def test_table_with_a_permission_and_no_workspace_is_refused():
    """Such a route could not be checked."""
    with pytest.raises(ConfigurationError, match="names no workspace"):
        check_table([Route("GET", "/api/v1/things", handler, Permission.INBOX_READ)])


def test_table_with_a_line_twice_is_refused():
    """The second would never be called."""
    line = Route("GET", "/api/v1/things", handler, Access.OPEN)
    with pytest.raises(ConfigurationError, match="twice"):
        check_table([line, line])


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_document_lists_the_route(route):
    """Every line has its operation with summary, permission, parameters, body and answer."""
    operation = DOCUMENT["paths"][route.plain_path][route.method.lower()]
    assert operation["summary"]
    assert operation["x-permission"] == str(route.access)
    assert {one["name"] for one in operation["parameters"] if one["in"] == "path"} == set(route.path_names)
    assert ("requestBody" in operation) is (route.body is not None)
    assert str(route.status) in operation["responses"]
    assert operation["responses"]["default"]["content"]["application/problem+json"]["schema"] == {
        "$ref": "#/components/schemas/Problem"
    }


def test_document_lists_nothing_else():
    """The document has exactly the table's operations."""
    listed = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert listed == {(route.method, route.plain_path) for route in ROUTES}


def test_document_is_sound():
    """OpenAPI 3.1: every reference resolves, every operation id is its own, every path name is declared."""
    assert DOCUMENT["openapi"] == "3.1.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)):
        kind, name = reference.removeprefix("#/components/").split("/")
        assert name in DOCUMENT["components"][kind]
    ids = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    for path in DOCUMENT["paths"]:
        assert path.startswith("/")
        assert ":" not in path


def test_document_names_the_rows_of_events():
    """A client finds the fields of each row it holds."""
    assert {"Conversation", "Message", "Contact", "Member", "Inbox", "ChannelAccount", "Event"} <= set(
        DOCUMENT["components"]["schemas"]
    )


def test_converters_are_not_in_the_document():
    """OpenAPI knows names in braces only."""
    route = Route("GET", "/files/{name:path}/{id}", handler, Access.OPEN)
    assert route.plain_path == "/files/{name}/{id}"
    assert route.path_names == ("name", "id")


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if one.body is not None], ids=lambda one: f"{one.method} {one.path}"
)
def test_every_body_names_its_fields(route):
    """A field that no action is for is refused, or at least never set: bodies are structs, never whole rows."""
    body = route.body
    assert isinstance(body, type)
    if issubclass(body, msgspec.Struct) and not body.__struct_config__.forbid_unknown_fields:
        # What browsers and websites of customers write, in their own versions: passed over, and never set.
        assert f"{body.__module__}.{body.__name__}" in TOLERANT
