"""Photos both ways between a texter and a member, over real processes: webhook, fetch, picture, upload, MMS."""

from __future__ import annotations

import base64
import hashlib
import io
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tests import pictures
from tests.acceptance.running import RunningHub
from tests.emulators import NUMBER, EmulatedTwilio

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(180)]

TEXTER = "+15550002222"


@pytest.fixture(scope="module")
def hub(twilio_process: EmulatedTwilio) -> Iterator[RunningHub]:
    twilio_process.control("clear")
    started = RunningHub(HUB_VENDOR_URL_TWILIO_SMS=twilio_process.base_url)
    started.set_up()
    account = started.connect_sms(twilio_process, NUMBER)
    started.webhook_url = account["webhook_url"]  # type: ignore[attr-defined]  # handed to the tests
    yield started
    started.stop()


def wait_until(found: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return value


def photo_in(twilio: EmulatedTwilio, hub: RunningHub, photo: bytes) -> None:
    path = twilio.control("media", body=base64.b64encode(photo).decode(), content_type="image/jpeg")["path"]
    media = [{"url": twilio.base_url + path, "content_type": "image/jpeg"}]
    twilio.control("inbound", url=hub.webhook_url, **{"from": TEXTER, "to": NUMBER, "body": "", "media": media})


def newest(api: httpx.Client) -> tuple[str, dict[str, Any]] | None:
    rows = api.get("conversations").json()["conversations"]
    if not rows:
        return None
    messages = api.get(f"conversations/{rows[0]['id']}/messages").json()["messages"]
    return rows[0]["id"], messages[-1]


def test_photo_by_mms_is_shown_and_answered_with_a_photo(hub, twilio_process) -> None:
    """A texter's photo is ready with a thumbnail and can be had; the member's goes out, fetched from our address."""
    photo_in(twilio_process, hub, pictures.photo(400, 300))
    with hub.api() as api:

        def ready() -> tuple[str, dict[str, Any]] | None:
            found = newest(api)
            files = found[1]["attachments"] if found else []
            return found if files and files[0]["state"] != "pending" else None

        conversation_id, message = wait_until(ready)
        (shown,) = message["attachments"]
        whole = api.get(f"attachments/{shown['id']}", follow_redirects=True)
        small = api.get(f"attachments/{shown['id']}", params={"variant": "thumbnail"}, follow_redirects=True)
        answer = api.post("attachments", params={"filename": "mine.jpg"}, content=pictures.photo(200, 100))
        mine = answer.json()["attachment"]
        body = {
            "client_message_id": str(uuid.uuid4()), "kind": "message", "text": "Like this?", "attachments": [mine["id"]],
        }  # fmt: skip
        sent = api.post(f"conversations/{conversation_id}/messages", json=body)
        wait_until(lambda: newest(api)[1]["status"] == "delivered")
        original = api.get(f"attachments/{mine['id']}", follow_redirects=True).content
    (made,) = twilio_process.state()["messages"]
    (fetched,) = made["_media"]

    assert (shown["state"], shown["kind"], shown["has_thumbnail"]) == ("ready", "image", True)
    assert Image.open(io.BytesIO(whole.content)).size == (300, 400)
    assert Image.open(io.BytesIO(small.content)).size == (240, 320)
    assert sent.status_code == 201
    assert (made["body"], made["num_media"]) == ("Like this?", "1")
    assert fetched["sha256"] == hashlib.sha256(original).hexdigest()
    assert fetched["content_type"] == "image/jpeg"


def test_upload_in_parts_survives_a_cut_connection(hub) -> None:
    """20 MB with the line cut in the middle of a part: the upload says where it is, goes on and is whole."""
    data = bytes(range(256)) * 80_000
    with hub.api() as api:
        begun = api.post("attachments", json={"filename": "film.bin", "size_bytes": len(data)}).json()
        file_id, chunk_bytes = begun["attachment"]["id"], begun["upload"]["chunk_bytes"]

        def torn() -> Iterator[bytes]:
            yield data[:3_000_000]
            raise ConnectionError("the train entered a tunnel")

        with pytest.raises(ConnectionError):
            api.patch(f"attachments/{file_id}/content", content=torn(), headers={"upload-offset": "0"})
        offset, state = 0, "pending"
        while state == "pending":
            assert api.get(f"attachments/{file_id}/upload").json()["upload"]["offset"] == offset
            part = data[offset : offset + chunk_bytes]
            answer = api.patch(
                f"attachments/{file_id}/content", content=part, headers={"upload-offset": str(offset)}
            ).json()
            offset, state = answer["upload"]["offset"], answer["attachment"]["state"]
        whole = api.get(f"attachments/{file_id}", follow_redirects=True)

    assert (state, offset) == ("ready", len(data))
    assert hashlib.sha256(whole.content).digest() == hashlib.sha256(data).digest()
