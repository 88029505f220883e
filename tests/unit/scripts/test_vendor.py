"""What all emulated vendors share: strict requests, misbehaviour on order, calls signed wrong or twice."""

from __future__ import annotations

import contextlib
import json

import httpx
import msgspec
import pytest

from scripts.emulators.http1 import Answer, as_json, listen
from scripts.emulators.vendor import Asked, Call, Delivery, Endpoint, Fault, Refused, Vendor


class Letter(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    urgent: bool = False


class Post(Vendor):
    """A made-up vendor with one endpoint."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        super().__init__()

    def endpoints(self):
        return (Endpoint(method="POST", path=r"/boxes/(\w+)/letters", answer=self.take, body=Letter),)

    def check(self, asked):
        if asked.headers.get("authorization") != "Bearer key":
            raise Refused(self.fault(Fault("credentials", "wrong key")))

    def fault(self, fault):
        return as_json(401 if fault.kind == "credentials" else 400, {"wrong": fault.field, "why": fault.reason})

    def take(self, asked: Asked) -> Answer:
        self.letters.append(asked.body.text)
        return as_json(201, {"box": asked.arguments[0]})

    def call_of(self, items, sign):
        return Call("", json.dumps({"items": items}).encode(), {"x-sign": sign})

    def forget(self):
        self.letters.clear()


@contextlib.asynccontextmanager
async def running():
    vendor = Post()
    async with (
        listen(vendor.handle) as listener,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.port}", trust_env=False, timeout=2) as client,
    ):
        yield vendor, client


async def write(client: httpx.AsyncClient, body: object, key: str = "key") -> httpx.Response:
    return await client.post("/boxes/b1/letters", json=body, headers={"authorization": f"Bearer {key}"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "$"),
        ({"text": "a", "textt": "b"}, "$"),
        ({"text": 1}, "$.text"),
        ({"text": "a", "urgent": "yes"}, "$.urgent"),
    ],
)
async def test_request_that_is_missing_or_unknown_or_of_another_type_is_refused(body, field):
    """Each fault is refused in the vendor's shape, with the place, and nothing is done."""
    async with running() as (vendor, client):
        answer = await write(client, body)

    assert (answer.status_code, answer.json()["wrong"], vendor.letters) == (400, field, [])
    assert vendor.requests[0]["refused"]


async def test_wrong_key_and_unknown_address_are_refused():
    """Credentials come first; an address nobody declared is a fault of its own."""
    async with running() as (vendor, client):
        wrong = await write(client, {"text": "a"}, "other")
        unknown = await client.get("/boxes", headers={"authorization": "Bearer key"})

    assert (wrong.status_code, unknown.status_code) == (401, 400)
    assert vendor.letters == []


@pytest.mark.parametrize(
    ("plan", "status", "taken"),
    [
        ({"kind": "status", "status": 503, "body": {"no": 1}}, 503, []),
        ({"kind": "html", "status": 502}, 502, []),
        ({"kind": "throttle", "retry_after": 7}, 429, []),
        ({"kind": "reset"}, 0, ["a"]),
        ({"kind": "reset", "accept": False}, 0, []),
        ({"kind": "hold"}, 0, ["a"]),
        ({"kind": "late", "delay_s": 0.01}, 201, ["a"]),
    ],
)
async def test_planned_answer_misbehaves_once(plan, status, taken):
    """A plan is used up by one request; whether the vendor acted is what the plan says."""
    async with running() as (vendor, client):
        await client.post("/_control", json={"op": "next", "answers": [plan]})
        try:
            got = (
                await client.post(
                    "/boxes/b1/letters", json={"text": "a"}, headers={"authorization": "Bearer key"}, timeout=0.3
                )
            ).status_code
        except httpx.HTTPError:
            got = 0
        taken_then = list(vendor.letters)
        after = await write(client, {"text": "b"})

    assert (got, taken_then, after.status_code) == (status, taken, 201)


async def test_plan_for_a_path_leaves_others_alone():
    """A plan that names a path waits for it."""
    async with running() as (_, client):
        await client.post("/_control", json={"op": "next", "answers": [{"kind": "status", "path": "/b2/"}]})
        answer = await write(client, {"text": "a"})

    assert answer.status_code == 201


async def test_deliveries_go_twice_batched_and_signed_as_ordered():
    """The webhook gets what the order says; the answers are kept."""
    got: list[tuple[str, list[int]]] = []

    async def hook(request):
        got.append((request.headers["x-sign"], json.loads(request.body)["items"]))
        return Answer(202, b"ok", "text/plain")

    vendor = Post()
    async with listen(hook) as listener:
        vendor.webhook_url = f"http://127.0.0.1:{listener.port}/hook"
        await vendor.deliver([1, 2], Delivery(times=2, sign="wrong", batch=True))
        await vendor.deliver([3, 4, 5, 6, 7], Delivery(shuffle=True))

    assert got[:2] == [("wrong", [1, 2])] * 2
    assert sorted(one[1][0] for one in got[2:]) == [3, 4, 5, 6, 7]
    assert [one[1][0] for one in got[2:]] != [3, 4, 5, 6, 7]
    assert [one["status"] for one in vendor.made] == [202] * 7


async def test_clear_forgets():
    """After ``clear`` the emulator is as new."""
    async with running() as (vendor, client):
        await client.post("/_control", json={"op": "next", "answers": [{"kind": "html"}]})
        await write(client, {"text": "a"})
        await write(client, {"text": "b"})
        await client.post("/_control", json={"op": "clear"})
        told = (await client.get("/_control")).json()

    assert (told, vendor.letters) == ({"requests": [], "made": []}, [])
