"""
Every channel through real processes: in, out, ticks, echoes, limits, lost answers, and keys that stop working.

One hub for all of them; each test runs once for each driver of ``tests/acceptance/channels`` whose vendor has the thing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests import pictures
from tests.acceptance.channels.driver import Driver, Sent, all_drivers, new_key, wait_until
from tests.acceptance.running import EMAIL, RunningHub

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(240)]

DRIVERS = all_drivers()
THROTTLE_S = 3


def having(*wanted: str) -> pytest.MarkDecorator:
    """Run for the channels whose vendor has all of these; without any, for all where people write."""
    drivers = [one.channel for one in DRIVERS if set(wanted) <= one.has and (wanted or one.writes)]
    return pytest.mark.parametrize("driver", drivers, indirect=True)


every = having()


@pytest.fixture(scope="module")
def drivers() -> Iterator[dict[str, Driver]]:
    started = {one.channel: one() for one in DRIVERS}
    yield started
    for one in started.values():
        one.vendor.stop()


@pytest.fixture(scope="module")
def hub(drivers: dict[str, Driver]) -> Iterator[RunningHub]:
    environ: dict[str, str] = {}
    for one in drivers.values():
        environ |= one.environ()
    started = RunningHub(**environ)
    started.set_up()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def api(hub: RunningHub) -> Iterator[httpx.Client]:
    with hub.api() as client:
        yield client


@pytest.fixture
def driver(request: pytest.FixtureRequest, drivers: dict[str, Driver], api: httpx.Client) -> Driver:
    """One channel, connected once for the module."""
    found = drivers[request.param]
    found.api = api
    if not found.account_id:
        found.connected(found.connect())
    return found


class Thread:
    """The conversation that begins with a text nobody else writes."""

    def __init__(self, api: httpx.Client, driver: Driver, person: str, **more: str) -> None:
        self.api, self.driver, self.person = api, driver, person
        self.opening = f"hello from {person} {new_key()[:8]}"
        self.key = new_key()
        answers = driver.deliver([driver.text(person, self.opening, self.key, **more)])
        assert all(200 <= one["status"] < 300 for one in answers), answers
        self.id: str = wait_until(self._find)

    def _find(self) -> str | None:
        rows = self.api.get("conversations").json()["conversations"]
        return next((one["id"] for one in rows if self.opening in one["preview"]), None)

    def messages(self) -> list[dict[str, Any]]:
        return self.api.get(f"conversations/{self.id}/messages").json()["messages"]

    def texts(self, direction: str = "inbound") -> list[str]:
        return [one["text"] for one in self.messages() if one["direction"] == direction]

    def reply(self, text: str) -> str:
        body = {"client_message_id": str(uuid.uuid4()), "kind": "message", "text": text, "attachments": []}
        answer = self.api.post(f"conversations/{self.id}/messages", json=body)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()["message_id"]

    def status_of(self, text: str) -> str:
        (found,) = [one for one in self.messages() if one["text"] == text]
        return found["status"]

    def named_contact(self) -> dict[str, Any] | None:
        """Return who writes, once they have a name."""
        contact_id = self.api.get(f"conversations/{self.id}").json()["conversation"]["contact_id"]
        found: dict[str, Any] = self.api.get(f"contacts/{contact_id}").json()["contact"]
        return found if found["name"] else None

    def sent(self, text: str) -> Sent | None:
        return next((one for one in self.driver.sent() if text in one.text), None)


def check_tick(api: httpx.Client, driver: Driver, status: str) -> None:
    thread = Thread(api, driver, "tick")
    text = f"ticked {new_key()[:8]}"
    thread.reply(text)
    sent = wait_until(lambda: thread.sent(text))
    driver.deliver([driver.receipt("tick", sent, status)], times=2)
    wait_until(lambda: thread.status_of(text) == status)


@every
def test_one_text_delivered_five_times_is_one_message(api, driver):
    """
    Duplicates of a vendor's call, in any order, are one row; the vendor is told 2xx each time.

    Who writes has their name afterwards, where the vendor can be asked for it.
    """
    if "names" in driver.has:
        driver.introduce("dora", "Dora Lind", pictures.photo())
    thread = Thread(api, driver, "dora")
    items = [driver.text("dora", f"line {n}", new_key()) for n in range(3)]
    answers = driver.deliver(items * 5, shuffle=True)
    wait_until(lambda: len(thread.texts()) >= 4)

    assert all(200 <= one["status"] < 300 for one in answers)
    assert sorted(thread.texts()) == sorted([thread.opening, "line 0", "line 1", "line 2"])
    if "names" in driver.has:
        contact = wait_until(thread.named_contact)
        assert contact["name"] == "Dora Lind"
        if driver.channel != "slack":
            origin = str(api.base_url).partition("/api/v1/")[0]
            shown = httpx.get(f"{origin}/avatars/{contact['avatar']}")
            assert (shown.headers["content-type"], shown.content[8:12]) == ("image/webp", b"WEBP")


@having("sockets")
def test_event_over_a_socket_is_one_message_though_sent_twice(api, driver):
    """The account says that it is connected, and that it listens; set back, events come by calls as before."""
    driver.listen(on=True)
    thread = Thread(api, driver, "sven")
    driver.deliver([driver.text("sven", f"line {n}", new_key()) for n in range(2)], times=2)
    wait_until(lambda: len(thread.texts()) >= 3)
    health = api.get(f"channel-accounts/{driver.account_id}/health").json()
    driver.listen(on=False)

    assert sorted(thread.texts()) == sorted([thread.opening, "line 0", "line 1"])
    assert (health["headline"], health["reading"]["error"]) == ("Connected.", None)
    assert health["reading"]["lag_s"] < 60
    assert Thread(api, driver, "sven").id == thread.id


@having("media")
def test_file_is_kept_byte_for_byte(api, driver):
    """A file somebody sends is fetched, and is what a member gets."""
    paper = pictures.pdf()
    thread = Thread(api, driver, "mika")
    driver.deliver([driver.media("mika", "paper.pdf", "application/pdf", paper, new_key())])

    def ready() -> dict[str, Any] | None:
        files = [file for one in thread.messages() for file in one["attachments"]]
        return next((one for one in files if one["state"] == "ready"), None)

    found = wait_until(ready)
    got = api.get(f"attachments/{found['id']}", follow_redirects=True)
    assert got.content == paper


@every
def test_reply_goes_out_once_with_its_text(api, driver):
    """What a member writes reaches the vendor once, to the person who wrote."""
    thread = Thread(api, driver, "rene")
    text = f"your parcel is on its way {new_key()[:8]}"
    thread.reply(text)
    wait_until(lambda: thread.status_of(text) in ("sent", "delivered", "read"))

    assert [one.text for one in driver.sent() if text in one.text] == [text]


@having("delivered")
def test_delivered_reaches_the_tick(api, driver):
    """What the vendor says of our message is its tick, also when it says it twice."""
    check_tick(api, driver, "delivered")


@having("read")
def test_read_reaches_the_tick(api, driver):
    """A message the other side read says so."""
    check_tick(api, driver, "read")


@having("edit", "reaction")
def test_edits_and_reactions_in_any_order_come_to_the_same(api, driver):
    """A message, its edit and a reaction to it, each five times and shuffled: one row in its last state."""
    thread = Thread(api, driver, "edda")
    key = new_key()
    first = driver.text("edda", "frist", key)
    driver.deliver([driver.edit("edda", key, "first"), driver.reaction("edda", key, "👍"), first] * 5, shuffle=True)

    def final() -> bool:
        rows = [one for one in thread.messages() if one["text"] in ("frist", "first")]
        return (
            len(rows) == 1 and rows[0]["text"] == "first" and [one["emoji"] for one in rows[0]["reactions"]] == ["👍"]
        )

    wait_until(final)
    driver.deliver([driver.reaction("edda", key, "👍", removed=True)])
    wait_until(lambda: not next(one for one in thread.messages() if one["text"] == "first")["reactions"])


@having("delete")
def test_message_taken_back_is_shown_no_more(api, driver):
    """Deleted at the vendor: nothing of the text is left in the thread."""
    thread = Thread(api, driver, "dele")
    driver.deliver([driver.delete("dele", thread.key)])

    wait_until(lambda: thread.messages()[0]["deleted_at"] is not None)
    assert thread.messages()[0]["text"] == ""


@having("echo")
def test_answer_given_elsewhere_is_shown_once_as_ours(api, driver):
    """An echo is an outbound message, once however often it comes; an echo of our own send is no second message."""
    thread = Thread(api, driver, "ecki")
    driver.deliver([driver.echo("ecki", "answered elsewhere", new_key())], times=3)
    wait_until(lambda: "answered elsewhere" in thread.texts("outbound"))
    text = f"answered here {new_key()[:8]}"
    thread.reply(text)
    sent = wait_until(lambda: thread.sent(text))
    driver.deliver([driver.echo("ecki", text, sent.id)], times=2)
    wait_until(lambda: thread.status_of(text) in ("sent", "delivered", "read"))

    assert sorted(thread.texts("outbound")) == sorted(["answered elsewhere", text])


@having("past")
def test_what_was_written_before_is_brought_in_once_and_opens_no_work(api, driver):
    """Both sides of a conversation of last week; a call that tells one of its messages again adds nothing."""
    preview = "answered last week"

    def find() -> dict[str, Any] | None:
        rows = api.get("conversations", params={"status": "closed"}).json()["conversations"]
        found = [one for one in rows if one["channel"] == driver.channel and one["preview"] == preview]
        return found[0] if found else None

    conversation = wait_until(find)
    driver.deliver([driver.text("past", "asked last week", "past-7")])
    live = Thread(api, driver, "past")

    assert live.id == conversation["id"]
    told = [(one["direction"], one["text"]) for one in live.messages()]
    assert sorted(told) == sorted([("inbound", "asked last week"), ("outbound", preview), ("inbound", live.opening)])


@having("threads")
def test_answer_in_a_thread_lands_in_that_thread(api, driver):
    """A thread at the vendor is a conversation of its own; what a member answers there is in it and nowhere else."""
    outside = Thread(api, driver, "thea")
    inside = Thread(api, driver, "thea", thread=outside.key)
    text = f"in here {new_key()[:8]}"
    inside.reply(text)
    sent = wait_until(lambda: inside.sent(text))

    assert inside.id != outside.id
    assert driver.thread_of(sent) == outside.key


@having("act_edit")
def test_edit_of_ours_reaches_the_vendor(api, driver):
    """A member changes what they wrote: the vendor's copy is changed, by the vendor's id."""
    thread = Thread(api, driver, "acto")
    text, better = f"teh answer {new_key()[:8]}", f"the answer {new_key()[:8]}"
    message_id = thread.reply(text)
    sent = wait_until(lambda: thread.sent(text))
    wait_until(lambda: thread.status_of(text) in ("sent", "delivered", "read"))
    answer = api.patch(f"conversations/{thread.id}/messages/{message_id}", json={"text": better})

    assert answer.status_code == 200, answer.text
    wait_until(lambda: [one for one in driver.done() if (one.kind, one.id) == ("edit", sent.id) and better in one.text])
    wait_until(lambda: better in thread.texts("outbound"))


@having("act_delete")
def test_deletion_of_ours_reaches_the_vendor(api, driver):
    """A member takes back what they wrote."""
    thread = Thread(api, driver, "acta")
    text = f"never mind {new_key()[:8]}"
    message_id = thread.reply(text)
    sent = wait_until(lambda: thread.sent(text))
    wait_until(lambda: thread.status_of(text) in ("sent", "delivered", "read"))
    answer = api.delete(f"conversations/{thread.id}/messages/{message_id}")

    assert answer.status_code == 200, answer.text
    wait_until(lambda: [one for one in driver.done() if (one.kind, one.id) == ("delete", sent.id)])


@having("act_react")
def test_reaction_of_ours_reaches_the_vendor(api, driver):
    """A member reacts to what somebody wrote."""
    thread = Thread(api, driver, "acti")
    message_id = thread.messages()[0]["id"]
    answer = api.put(f"conversations/{thread.id}/messages/{message_id}/reactions/👍")

    assert answer.status_code == 200, answer.text
    wait_until(lambda: [one for one in driver.done() if one.kind == "react"])


@every
def test_throttled_reply_waits_as_long_as_the_vendor_says(api, driver):
    """After "too fast" nothing is asked of the vendor before its time, and the message goes out once."""
    thread = Thread(api, driver, "tho")
    driver.plan(kind="throttle", retry_after=THROTTLE_S)
    before = len(driver.send_times_s())
    text = f"patience {new_key()[:8]}"
    thread.reply(text)
    wait_until(lambda: thread.sent(text))

    times = driver.send_times_s()[before:]
    assert len(times) >= 2
    assert times[1] - times[0] >= THROTTLE_S


@every
def test_answer_that_never_came_is_unknown_and_is_never_sent_again(api, driver):
    """The vendor took it and hung up: "not confirmed", then what the vendor knows; one message there."""
    thread = Thread(api, driver, "uma")
    driver.plan(kind="reset")
    text = f"perhaps {new_key()[:8]}"
    thread.reply(text)
    sent = wait_until(lambda: thread.sent(text))
    if driver.rests_on_receipt:
        driver.deliver([driver.receipt("uma", sent, "delivered")])
    ends_in = ("sent", "delivered", "read") if driver.confirms else ("unknown",)
    wait_until(lambda: thread.status_of(text) in ends_in, 90)

    assert [one.text for one in driver.sent() if text in one.text] == [text]


@every
def test_refused_keys_stop_the_account_and_new_ones_send_what_waited(api, driver):
    """Keys revoked: needs sign-in, the message waits; new keys: it goes out once."""
    thread = Thread(api, driver, "kay")
    driver.revoke()
    text = f"waiting {new_key()[:8]}"
    thread.reply(text)

    def account() -> dict[str, Any]:
        rows = api.get("channel-accounts").json()["channel_accounts"]
        return next(one["channel_account"] for one in rows if one["id"] == driver.account_id)

    wait_until(lambda: account()["status"] == "needs_sign_in")
    assert thread.status_of(text) == "queued"
    driver.sign_in_again()
    wait_until(lambda: thread.status_of(text) in ("sent", "delivered", "read"))

    assert account()["status"] == "connected"
    assert [one.text for one in driver.sent() if text in one.text] == [text]


def rows_of_call(api: httpx.Client, preview: str) -> list[dict[str, Any]]:
    """Return the messages of the conversation whose newest words begin so, oldest first; none while there is none."""
    rows = api.get("conversations").json()["conversations"]
    found = next((one["id"] for one in rows if one["preview"].startswith(preview)), None)
    return api.get(f"conversations/{found}/messages").json()["messages"] if found else []


@having("call")
def test_call_is_one_row_in_its_last_state(api, driver):
    """Anna's mailbox picks up, Ben takes the call; all of it told three times and shuffled: one row, and nothing to write."""
    members = [{"does": "mailbox", "talk_s": 9}, {"does": "takes", "talk_s": 4321}]
    made = driver.call("carla", members=members, times=3, shuffle=True)
    rows = wait_until(lambda: rows_of_call(api, "Incoming call, answered by Ben, 1:12:01"))

    assert all(one["status"] == 200 for one in made["answers"])
    assert len(made["rung"]) == 2
    assert [one["text"] for one in rows] == ["Incoming call, answered by Ben, 1:12:01"]
    body = {"client_message_id": str(uuid.uuid4()), "kind": "message", "text": "Hi", "attachments": []}
    refused = api.post(f"conversations/{rows[0]['conversation_id']}/messages", json=body)
    assert refused.status_code in (400, 422)
    assert "Nothing can be written" in refused.text


@having("call")
def test_message_in_the_mailbox_is_kept_and_written_down(api, driver):
    """Nobody takes the call: a missed call, and a message with the sound and its words."""
    words = f"please call back {new_key()[:8]}"
    made = driver.call("vera", members=[{"does": "busy"}], message=23, words=words, times=2, shuffle=True)
    assert made["heard"][-1] == "Please leave a message after the tone."
    assert len(made["recordings"]) == 1

    def ready() -> list[dict[str, Any]]:
        rows = rows_of_call(api, f"Voicemail: {words}")
        return rows if any(file["state"] == "ready" for one in rows for file in one["attachments"]) else []

    rows = wait_until(ready)
    assert sorted(one["text"] for one in rows) == ["Missed call", f"Voicemail: {words}"]
    (file,) = [file for one in rows for file in one["attachments"]]
    assert api.get(f"attachments/{file['id']}", follow_redirects=True).content == driver.sound


@having("call")
def test_call_nobody_signed_rings_nobody(api, driver):
    """A call signed with another key is told nothing and leaves nothing."""
    made = driver.call("faker", members=[{"does": "takes", "talk_s": 77}], sign="wrong")

    assert {one["status"] for one in made["answers"]} == {401}
    assert made["rung"] == []


@having("call")
def test_member_calls_back_with_one_click(api, driver):
    """The member's telephone rings, the customer is told of the recording and put through; asked twice, rung once."""
    driver.call("nora", members=[{"does": "no-answer"}])
    missed = wait_until(lambda: rows_of_call(api, "Missed call"))
    conversation_id, key = missed[0]["conversation_id"], str(uuid.uuid4())
    account = f"channel-accounts/{driver.account_id}"
    api.patch(account, json={"settings": driver.settings_to_call(EMAIL)})

    asked = [api.post(f"conversations/{conversation_id}/calls", json={"client_call_id": key}) for _ in range(2)]
    assert [one.status_code for one in asked] == [201, 201], asked[0].text
    assert asked[0].json()["problem"] == ""
    assert asked[1].json()["message_id"] == asked[0].json()["message_id"]
    made = driver.pick_up(customer={"does": "takes", "talk_s": 95}, times=2, shuffle=True)
    api.patch(account, json={"settings": driver.account()["settings"] | {"record_calls": "no"}})

    assert (made["told"], len(made["rung"])) == (["This call is recorded."], 2)
    assert driver.vendor.state()["asked_for"] == []

    def spoke() -> dict[str, Any] | None:
        rows = api.get(f"conversations/{conversation_id}/messages").json()["messages"]
        parts = [one for one in rows if one["attachments"]]
        return (
            {"rows": rows, "parts": parts} if parts and any((one["call"] or {}).get("talk_s") for one in rows) else None
        )

    found = wait_until(spoke)
    (row,) = [one for one in found["rows"] if one["direction"] == "outbound"]
    assert (row["id"], row["text"]) == (asked[0].json()["message_id"], "Outgoing call by Priya, 1:35")
    assert [one["reply_to"]["message_id"] for one in found["parts"]] == [row["id"]]
