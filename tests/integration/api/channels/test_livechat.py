"""Live chat for visitors over HTTP: tokens, proofs of identity, histories that never cross, websites, limits."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import msgspec
import pytest

from api import livechat
from api.livechat_send import VisitorDraft, VisitorSent, receive_from_visitor
from hub import clock
from hub.channels.visitors import TOKEN_PURPOSE, VisitorClaims, VisitorTokens
from hub.errors import InvalidInput, NotFound, NotSignedIn, TooManyRequests, Unavailable
from hub.realtime.presence import Here
from tests.integration.api.channels.conftest import BASE_URL, Member

if TYPE_CHECKING:
    from pathlib import Path

    from api.call import Resources
    from hub.channels.sealing import Sealer

pytestmark = pytest.mark.postgres


class Chat:
    """A connected live chat, as its visitors and its site meet it."""

    def __init__(self, parts: Resources, sealer: Sealer, account_id: str, http: httpx.AsyncClient) -> None:
        self.parts = parts
        self.id = account_id
        self.http = http
        self.path = f"/api/v1/livechat/{account_id}"
        self.tokens = VisitorTokens(sealer.derive_keys(TOKEN_PURPOSE))

    async def visit(self, **body: object) -> httpx.Response:
        return await self.http.post(f"{self.path}/visitors", json=body)

    async def arrive(self, **body: object) -> dict[str, object]:
        answer = await self.visit(**body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def claims(self, token: object) -> VisitorClaims:
        return self.tokens.read(str(token), UUID(self.id), clock.now().timestamp())

    async def send(self, token: object, text: str = "Hello", message_id: UUID | None = None) -> VisitorSent:
        return await receive_from_visitor(
            self.parts.database,
            self.parts.throttle,
            self.claims(token),
            await self.parts.routes.find(UUID(self.id)),
            VisitorDraft(client_message_id=message_id or clock.new_id(), text=text, address="203.0.113.7"),
        )

    async def history(self, token: object, before: str = "") -> httpx.Response:
        query = f"?before={before}" if before else ""
        return await self.http.get(f"{self.path}/messages{query}", headers={"authorization": f"Bearer {token}"})

    async def texts(self, token: object) -> list[str]:
        return [one["text"] for one in (await self.history(token)).json()["messages"]]


@pytest.fixture
async def chat(owner: Member, visitor: httpx.AsyncClient, channel_parts: Resources, sealer: Sealer) -> Chat:
    """A live chat with the settings it starts with."""
    account_id = (await owner.connect("livechat")).json()["id"]
    return Chat(channel_parts, sealer, account_id, visitor)


async def set_up(owner: Member, chat: Chat, **settings: str) -> None:
    answer = await owner.http.patch(f"channel-accounts/{chat.id}", json={"settings": settings})
    assert answer.status_code == 200, answer.text
    await chat.parts.routes.refresh()


async def identity(owner: Member, chat: Chat, user_id: str) -> dict[str, str]:
    """What the customer's own server hands its page, after the secret was renewed and copied."""
    renewed = await owner.http.post(f"channel-accounts/{chat.id}/secrets/identity_secret", json={})
    await chat.parts.routes.refresh()
    signature = hmac.new(renewed.json()["value"].encode(), user_id.encode(), hashlib.sha256).hexdigest()
    return {"user_id": user_id, "hmac": signature}


async def contact_of(chat: Chat, owner: Member, conversation_id: UUID) -> tuple[UUID, str, list[tuple[str, str, bool]]]:
    async with chat.parts.database.snapshot([owner.facts.id]) as conn:
        row = await conn.fetchrow(
            "SELECT c.id, c.name FROM conversation v JOIN contact c ON c.id = v.contact_id WHERE v.id = $1",
            conversation_id,
        )
        assert row is not None
        found = await conn.fetch(
            "SELECT scheme, value, verified FROM contact_identity WHERE contact_id = $1 ORDER BY scheme", row["id"]
        )
    return row["id"], row["name"], [(one["scheme"], one["value"], one["verified"]) for one in found]


async def test_look_is_public(chat: Chat, owner: Member):
    """Anybody may ask how the chat looks; what it asks first follows the settings."""
    assert (await chat.http.get(chat.path)).json() == {
        "title": "Chat with us",
        "greeting": "Hello! How can we help?",
        "color": "#2454ff",
        "pre_chat": [],
        "identity_required": False,
        "online": False,
    }
    await set_up(owner, chat, pre_chat_name="optional", pre_chat_email="required", identity="required", title="Ask us")
    look = (await chat.http.get(chat.path)).json()
    assert (look["title"], look["identity_required"]) == ("Ask us", True)
    assert [(one["name"], one["required"]) for one in look["pre_chat"]] == [("name", False), ("email", True)]


async def test_look_says_whether_somebody_is_there(chat: Chat, owner: Member):
    """A member online shows as online, in their own workspace only; where nobody can tell, it is unknown."""
    presence = chat.parts.presence
    assert presence is not None
    await presence.keep("a", {owner.facts.id + 1: Here((owner.facts.owner_id,))})
    assert (await chat.http.get(chat.path)).json()["online"] is False
    await presence.keep("a", {owner.facts.id: Here((owner.facts.owner_id,))})
    assert (await chat.http.get(chat.path)).json()["online"] is True
    chat.parts.presence = None
    assert (await chat.http.get(chat.path)).json()["online"] is None


async def test_a_token_makes_the_same_visitor_again(chat: Chat):
    """A first visit makes a visitor without writing anything; the token brings the same one back, renewed."""
    first = await chat.arrive(page_url="https://shop.example/")
    assert (first["conversation_id"], first["messages"], first["cursor"]) == (None, [], {"epoch": 1, "seq": 0})
    again = await chat.arrive(visitor_token=first["visitor_token"])
    assert again["visitor_id"] == first["visitor_id"]
    async with chat.parts.database.snapshot([chat.claims(first["visitor_token"]).workspace_id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM contact") == 0


async def test_a_visitor_finds_their_conversation_again(chat: Chat):
    """Messages are numbered for the visitor from 1, and the next visit brings them with the cursor."""
    token = (await chat.arrive())["visitor_token"]
    sent = [await chat.send(token, text) for text in ("One", "Two")]
    assert [one.seq for one in sent] == [1, 2]
    back = await chat.arrive(visitor_token=token)
    assert back["conversation_id"] == str(sent[0].conversation_id)
    assert [(one["text"], one["seq"]) for one in back["messages"]] == [("One", 1), ("Two", 2)]
    assert back["cursor"] == {"epoch": 1, "seq": 2}


async def test_sending_again_is_the_same_message(chat: Chat):
    """A message sent again under its id is stored once; the same id of another visitor is another message."""
    token, other = (await chat.arrive())["visitor_token"], (await chat.arrive())["visitor_token"]
    message_id = clock.new_id()
    first, again = await chat.send(token, "Hi", message_id), await chat.send(token, "Hi", message_id)
    theirs = await chat.send(other, "Hi", message_id)
    assert first == again
    assert theirs.message_id != first.message_id
    assert (await chat.texts(token), await chat.texts(other)) == (["Hi"], ["Hi"])


async def test_pages_go_back_to_the_first_message(chat: Chat, monkeypatch: pytest.MonkeyPatch):
    """Every message is on exactly one page, oldest first in each."""
    monkeypatch.setattr(livechat, "PAGE_SIZE", 2)
    token = (await chat.arrive())["visitor_token"]
    for number in range(5):
        await chat.send(token, str(number))
    pages, before = [], (await chat.arrive(visitor_token=token))["next"]
    pages.append([one["text"] for one in (await chat.arrive(visitor_token=token))["messages"]])
    while before:
        page = (await chat.history(token, str(before))).json()
        pages.append([one["text"] for one in page["messages"]])
        before = page["next"]
    assert pages == [["3", "4"], ["1", "2"], ["0"]]
    assert (await chat.history(token, "x")).status_code == 422


async def test_visitors_see_only_their_own(chat: Chat, owner: Member, stranger: Member):
    """Another visitor, another live chat and another workspace see nothing of a conversation."""
    token = (await chat.arrive())["visitor_token"]
    await chat.send(token, "Private")
    other = (await chat.arrive())["visitor_token"]
    assert await chat.texts(other) == []
    for member in (owner, stranger):
        account_id = (await member.connect("livechat")).json()["id"]
        headers = {"authorization": f"Bearer {token}"}
        answer = await chat.http.get(f"/api/v1/livechat/{account_id}/messages", headers=headers)
        assert answer.status_code == 401
        visit = await chat.http.post(f"/api/v1/livechat/{account_id}/visitors", json={"visitor_token": token})
        assert visit.status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic eHg=", "Bearer v1.e30.e30"])
async def test_history_needs_a_token(chat: Chat, header: str):
    """Without a good visitor token there is no history."""
    answer = await chat.http.get(f"{chat.path}/messages", headers={"authorization": header})
    assert answer.status_code == 401


async def test_a_verified_user_has_one_history_everywhere(chat: Chat, owner: Member):
    """The same user on another device sees the same conversation; the contact carries the proved identity."""
    proof = await identity(owner, chat, "user-1")
    laptop, phone = await chat.arrive(identity=proof), await chat.arrive(identity=proof)
    assert laptop["visitor_id"] != phone["visitor_id"]
    sent = await chat.send(laptop["visitor_token"], "From the laptop")
    assert await chat.texts(phone["visitor_token"]) == ["From the laptop"]
    _, _, identities = await contact_of(chat, owner, sent.conversation_id)
    assert identities == [("external", "user-1", True)]


async def test_proving_who_you_are_keeps_the_conversation(chat: Chat, owner: Member):
    """What an anonymous visitor wrote becomes the user's: same contact; the anonymous token no longer reaches it."""
    anonymous = (await chat.arrive())["visitor_token"]
    sent = await chat.send(anonymous, "Before signing in")
    proof = await identity(owner, chat, "user-1")
    known = await chat.arrive(visitor_token=anonymous, identity=proof)
    assert known["conversation_id"] == str(sent.conversation_id)
    _, _, identities = await contact_of(chat, owner, sent.conversation_id)
    assert [(scheme, verified) for scheme, _, verified in identities] == [("external", True), ("visitor", False)]
    assert await chat.texts(anonymous) == []
    again = await chat.send(known["visitor_token"], "After")
    assert again.conversation_id == sent.conversation_id
    other = await chat.send(anonymous, "From the old token")
    assert other.conversation_id != sent.conversation_id
    assert await chat.texts(anonymous) == ["From the old token"]
    assert await chat.texts(known["visitor_token"]) == ["Before signing in", "After"]


async def test_a_browser_that_changes_hands_makes_two_people(chat: Chat, owner: Member):
    """A second user on the same browser, or on its old anonymous token, never gets the first one's contact or history."""
    anonymous = (await chat.arrive())["visitor_token"]
    sent = await chat.send(anonymous, "Ann's question")
    ann = await chat.arrive(visitor_token=anonymous, identity=await identity(owner, chat, "ann"))
    bob_proof = await identity(owner, chat, "bob")
    for token in (ann["visitor_token"], anonymous):
        bob = await chat.arrive(visitor_token=token, identity=bob_proof)
        assert bob["visitor_id"] != ann["visitor_id"]
        assert (bob["conversation_id"], bob["messages"]) == (None, [])
    answer = await chat.send(bob["visitor_token"], "Bob's question")
    contacts = [(await contact_of(chat, owner, one.conversation_id))[0] for one in (sent, answer)]
    assert contacts[0] != contacts[1]
    assert await chat.texts(ann["visitor_token"]) == ["Ann's question"]


async def test_an_unverified_visitor_never_reaches_a_verified_history(chat: Chat, owner: Member):
    """Neither a user's id without a proof, nor a visitor id as user id, opens somebody's history."""
    ann = await chat.arrive(identity=await identity(owner, chat, "ann"))
    await chat.send(ann["visitor_token"], "Verified")
    refused = [
        {"user_id": "ann", "hmac": "0" * 64},
        {"user_id": "ann"},
        {"jwt": "a.b.c"},
        {"user_id": "ann", "hmac": "0" * 64, "jwt": "a.b.c"},
        {},
    ]
    for proof in refused:
        answer = await chat.visit(identity=proof)
        assert (answer.status_code, answer.json()["field"]) == (422, "identity")
    anonymous = await chat.arrive()
    await chat.send(anonymous["visitor_token"], "Anonymous")
    twin = await chat.arrive(identity=await identity(owner, chat, str(anonymous["visitor_id"])))
    assert twin["messages"] == []
    assert await chat.texts(anonymous["visitor_token"]) == ["Anonymous"]


async def test_identity_can_be_required_or_off(chat: Chat, owner: Member):
    """Required: nobody writes without a proof. Off: a proof changes nothing."""
    anonymous = (await chat.arrive())["visitor_token"]
    proof = await identity(owner, chat, "ann")
    await set_up(owner, chat, identity="required")
    assert (await chat.visit()).status_code == 401
    assert (await chat.visit(visitor_token=anonymous)).status_code == 401
    with pytest.raises(NotSignedIn):
        await chat.send(anonymous)
    token = (await chat.arrive(identity=proof))["visitor_token"]
    assert (await chat.arrive(visitor_token=token))["visitor_token"]
    assert (await chat.send(token)).seq == 1
    await set_up(owner, chat, identity="off")
    assert chat.claims((await chat.arrive(identity=proof))["visitor_token"]).external_user_id is None


async def test_pre_chat_form_names_the_contact_and_merges_nobody(chat: Chat, owner: Member):
    """The name becomes the contact's; the address is noted as unverified and finds no other contact."""
    victim = (await chat.arrive(form={"name": "Ceo", "email": "ceo@example.com"}))["visitor_token"]
    first = await chat.send(victim)
    visit = await chat.arrive(form={"name": "  Zoë \u0007 Smith ", "email": " CEO@example.com "})
    assert visit["name"].startswith("Zoë")
    second = await chat.send(visit["visitor_token"])
    (one, name, _), (two, _, identities) = [
        await contact_of(chat, owner, sent.conversation_id) for sent in (first, second)
    ]
    assert (one != two, name) == (True, "Ceo")
    assert ("email", "ceo@example.com", False) in identities
    assert await chat.texts(visit["visitor_token"]) == ["Hello"]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"email": "not an address"}, "form.email"),
        ({"email": "a@b"}, "form.email"),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, "form.email"),
        ({"email": f"{'a' * 64}@{'b' * 200}.example"}, "form.email"),
        ({"name": "x" * 201}, "form.name"),
        ({"name": 7}, "form.name"),
    ],
)
async def test_pre_chat_form_is_checked(chat: Chat, form: dict[str, object], field: str):
    """A name or address that cannot be used is refused by its field."""
    answer = await chat.visit(form=form)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_required_pre_chat_fields_are_required_to_write(chat: Chat, owner: Member):
    """A required field is asked of the visitor before their first message, whatever the client does."""
    await set_up(owner, chat, pre_chat_name="required", pre_chat_email="required")
    token = (await chat.arrive())["visitor_token"]
    for form, field in (({}, "form.name"), ({"name": "Zoë"}, "form.email")):
        token = (await chat.arrive(visitor_token=token, form=form))["visitor_token"]
        with pytest.raises(InvalidInput) as refused:
            await chat.send(token)
        assert refused.value.field == field
    token = (await chat.arrive(visitor_token=token, form={"email": "zoe@example.com"}))["visitor_token"]
    assert (await chat.send(token)).seq == 1


@pytest.mark.parametrize("text", ["", "   ", "x" * 20_001])
async def test_a_message_has_a_text(chat: Chat, text: str):
    """An empty or endless message is refused."""
    token = (await chat.arrive())["visitor_token"]
    with pytest.raises(InvalidInput):
        await chat.send(token, text)


async def test_a_paused_or_removed_chat_is_gone(chat: Chat, owner: Member):
    """A paused chat answers 404 everywhere, comes back when resumed, and not once removed."""
    token = (await chat.arrive())["visitor_token"]

    async def answers() -> set[int]:
        await chat.parts.routes.refresh()
        calls = (chat.http.get(chat.path), chat.visit(), chat.history(token), chat.http.get(f"/widget/{chat.id}"))
        return {(await call).status_code for call in calls}

    await owner.http.patch(f"channel-accounts/{chat.id}", json={"status": "paused"})
    assert await answers() == {404}
    with pytest.raises(NotFound):
        await chat.send(token)
    await owner.http.patch(f"channel-accounts/{chat.id}", json={"status": "connected"})
    assert 404 not in await answers()
    await owner.http.delete(f"channel-accounts/{chat.id}")
    assert await answers() == {404}


async def test_other_channels_have_no_chat(chat: Chat, owner: Member):
    """An account of a channel without visitors is not a live chat, nor is an unknown id."""
    account_id = (await owner.connect()).json()["id"]
    for one in (account_id, str(clock.new_id()), "nonsense"):
        assert (await chat.http.get(f"/api/v1/livechat/{one}")).status_code == 404


async def test_only_allowed_websites_are_answered(chat: Chat, owner: Member):
    """A listed website gets CORS without credentials, another one 403, our own frame neither."""
    await set_up(owner, chat, allowed_origins="https://shop.example")
    mine = await chat.http.get(chat.path, headers={"origin": "https://shop.example"})
    assert mine.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-credentials" not in mine.headers
    theirs = await chat.http.get(chat.path, headers={"origin": "https://evil.example"})
    assert (theirs.status_code, theirs.headers.get("access-control-allow-origin")) == (403, None)
    frame = await chat.http.get(chat.path, headers={"origin": BASE_URL})
    assert (frame.status_code, frame.headers.get("access-control-allow-origin")) == (200, None)
    asked = await chat.http.request("OPTIONS", f"{chat.path}/visitors", headers={"origin": "https://shop.example"})
    assert (asked.status_code, "POST" in asked.headers["access-control-allow-methods"]) == (204, True)
    assert (await chat.visit()).status_code == 200


async def test_floods_are_refused(chat: Chat, monkeypatch: pytest.MonkeyPatch):
    """Too many visits from an address, or messages of a visitor, are told to wait."""
    token = (await chat.arrive())["visitor_token"]
    monkeypatch.setattr(livechat, "VISITS_PER_ADDRESS", 3)
    answers = [await chat.visit() for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    for _ in range(30):
        await chat.send(token)
    with pytest.raises(TooManyRequests):
        await chat.send(token)


async def test_a_token_for_another_tenant_is_refused_at_the_store(chat: Chat, stranger: Member):
    """Claims and route must name the same workspace and account, or nothing is written."""
    token = (await chat.arrive())["visitor_token"]
    theirs = (await stranger.connect("livechat")).json()["id"]
    route = await chat.parts.routes.find(UUID(theirs))
    draft = VisitorDraft(client_message_id=clock.new_id(), text="x", address="")
    with pytest.raises(NotSignedIn):
        await receive_from_visitor(chat.parts.database, chat.parts.throttle, chat.claims(token), route, draft)


async def test_frame_may_only_be_shown_by_the_allowed_websites(chat: Chat, owner: Member, tmp_path: Path):
    """The frame's policy names the account's websites, or anybody, and allows no inline script or foreign source."""
    (tmp_path / "widget").mkdir()
    (tmp_path / "widget" / "frame.html").write_text("<!doctype html><title>Live chat</title>")
    page = await chat.http.get(f"/widget/{chat.id}")
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert page.headers["content-security-policy"].endswith("frame-ancestors *")
    await set_up(owner, chat, allowed_origins="https://shop.example https://*.shop.example")
    policy = (await chat.http.get(f"/widget/{chat.id}")).headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://shop.example https://*.shop.example")
    assert "unsafe-inline" not in policy
    assert "default-src 'none'" in policy


async def test_script_is_for_every_website(chat: Chat, tmp_path: Path):
    """The script is cached for minutes, its hashed files for ever; both load from other origins, nothing else does."""
    assert (await chat.http.get("/widget.js")).status_code == 404
    (tmp_path / "widget" / "assets").mkdir(parents=True)
    (tmp_path / "widget" / "widget.js").write_text("1")
    (tmp_path / "widget" / "assets" / "frame-abc.js").write_text("2")
    script = await chat.http.get("/widget.js")
    assert (script.text, script.headers["cache-control"]) == ("1", "public, max-age=300")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    asset = await chat.http.get("/widget-assets/frame-abc.js")
    assert "immutable" in asset.headers["cache-control"]
    assert (await chat.http.get("/widget-assets/..%2fwidget.js")).status_code == 404


async def test_sample_page_is_for_this_computer_or_members(chat: Chat, owner: Member):
    """The sample page embeds the widget under a strict policy; with a public address only members see it."""
    page = await chat.http.get(f"/sample/{chat.id}")
    assert f'data-channel="{chat.id}"' in page.text
    assert "{{" not in page.text
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    chat.parts.settings = msgspec.structs.replace(chat.parts.settings, public_url="https://hub.example.com")
    assert (await chat.http.get(f"/sample/{chat.id}")).status_code == 401
    assert (await owner.http.get(f"{BASE_URL}/sample/{chat.id}")).status_code == 200


async def test_throttle_goes_on_without_redis(chat: Chat):
    """Without Redis a visitor is counted by this process; what must fail closed still does."""
    for _ in range(3):
        assert (await chat.visit()).status_code == 200
    chat.parts.throttle._alone_since = clock.monotonic_s() - 3600
    assert (await chat.visit()).status_code == 200
    with pytest.raises(Unavailable):
        await chat.parts.throttle.take([])
