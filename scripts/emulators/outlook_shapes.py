"""What Microsoft Graph takes of us: bodies and queries, strict, so that a field misspelt is refused."""

from __future__ import annotations

from typing import Literal

import msgspec


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    pass


class Address(Strict):
    address: str
    name: str = ""


class Person(Strict):
    email_address: Address


class Body(Strict):
    content_type: Literal["html", "text"]
    content: str


class Property(Strict):
    id: str
    value: str


class Header(Strict):
    # Others cannot be set.
    name: str = msgspec.field()
    value: str

    def __post_init__(self) -> None:
        if not self.name.lower().startswith("x-"):
            raise ValueError("a custom header begins with x-")


class NewMessage(Strict):
    body: Body
    subject: str = ""
    to_recipients: list[Person] = []
    cc_recipients: list[Person] = []
    bcc_recipients: list[Person] = []
    single_value_extended_properties: list[Property] = []
    internet_message_headers: list[Header] = msgspec.field(default_factory=list)


class NewReply(Strict):
    message: NewMessage


class NewAttachment(Strict):
    kind: Literal["#microsoft.graph.fileAttachment"] = msgspec.field(name="@odata.type")
    name: str
    content_type: str
    content_bytes: str
    is_inline: bool = False
    content_id: str = ""


class AttachmentItem(Strict):
    attachment_type: Literal["file"]
    name: str
    size: int
    content_type: str
    is_inline: bool = False
    content_id: str = ""


class NewSession(msgspec.Struct, forbid_unknown_fields=True):
    attachment_item: AttachmentItem = msgspec.field(name="AttachmentItem")


class ReadPatch(Strict):
    is_read: bool


class NewSubscription(Strict):
    change_type: str
    notification_url: str
    lifecycle_notification_url: str
    resource: str
    expiration_date_time: str
    client_state: str


class SubscriptionPatch(Strict):
    expiration_date_time: str


class SelectQuery(msgspec.Struct, forbid_unknown_fields=True):
    select: str = msgspec.field(name="$select")


class MessageQuery(msgspec.Struct, forbid_unknown_fields=True):
    filter: str = msgspec.field(name="$filter")
    select: str = msgspec.field(name="$select")


class ListQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    filter: str = msgspec.field(name="$filter")
    orderby: str = msgspec.field(name="$orderby")
    select: str = msgspec.field(default="", name="$select")
    count: str = msgspec.field(default="", name="$count")
    skip: int = msgspec.field(default=0, name="$skip")


class DeltaQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    change_type: str = msgspec.field(default="", name="changeType")
    select: str = msgspec.field(default="", name="$select")
    filter: str = msgspec.field(default="", name="$filter")
    skiptoken: str = msgspec.field(default="", name="$skiptoken")
    deltatoken: str = msgspec.field(default="", name="$deltatoken")

    @property
    def token(self) -> str:
        return self.skiptoken or self.deltatoken
