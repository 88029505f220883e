/** A message, a note, or one that is still on its way, with its delivery state in words and ticks. */
import { memo, useState } from "react";
import { useClient, useFeed } from "../context";
import { Attachments } from "../files/Attachments";
import { contactName, memberName } from "../lib/names";
import { clockTime, fullTime } from "../lib/time";
import { MailBody, MailPeople } from "../mail/MailBody";
import type { OutboxEntry } from "../sync/outbox";
import { may } from "../sync/state";
import type { Conversation, Message } from "../types.gen";
import { Button } from "../ui/basics";
import { Icon } from "../ui/icons";
import { showError } from "../ui/toasts";
import type { EditDetail } from "./Composer";
import { Ticks } from "./Ticks";

interface MessageProps {
  readonly message: Message;
  readonly grouped: boolean;
  readonly conversation: Conversation;
}

export const MessageBubble = memo(function MessageBubble({ message, grouped, conversation }: MessageProps) {
  const author = useAuthor(message, conversation);
  const side = message.kind === "note" ? "note" : message.direction === "inbound" ? "in" : "out";
  return (
    <article className={`bubble bubble-${side}${grouped ? " bubble-grouped" : ""}`} aria-label={`${author}, ${clockTime(message.occurred_at)}`}>
      {!grouped && (
        <header className="bubble-meta">
          {message.kind === "note" && <Icon name="note" size={12} />}
          <span>{author}</span>
          <time dateTime={message.occurred_at} title={fullTime(message.occurred_at)}>{clockTime(message.occurred_at)}</time>
          {message.kind === "note" && <span>internal note</span>}
          {message.kind === "form" && <span>form</span>}
        </header>
      )}
      <MailPeople message={message} subject={conversation.subject} />
      {(message.text !== "" || message.has_html) && <MailBody message={message} />}
      <Attachments attachments={message.attachments} />
      {side === "out" && message.status !== null && <Delivery message={message} />}
    </article>
  );
});

function useAuthor(message: Message, conversation: Conversation): string {
  const member = useFeed((state) => (message.author_id === null ? undefined : state.members[message.author_id]));
  const contact = useFeed((state) => state.contacts[conversation.contact_id]);
  const me = useFeed((state) => state.me.id);
  switch (message.author_kind) {
    case "contact": return message.author_name || contactName(contact);
    case "member": return message.author_id === me ? "You" : member === undefined ? message.author_name || "Our side" : memberName(member);
    case "ai": return "Assistant";
    case "system": return "Hub";
  }
}

function Delivery({ message }: { readonly message: Message }) {
  const client = useClient();
  const mayReply = useFeed((state) => may(state, "inbox.reply"));
  const [busy, setBusy] = useState(false);
  const { status, error } = message;
  if (status === null) return null;
  const again = async (): Promise<void> => {
    setBusy(true);
    await client.api.sendAgain(message.conversation_id, message.id).catch(showError);
    setBusy(false);
  };
  if (status !== "failed" && status !== "unknown") return <Ticks status={status} />;
  return (
    <div className={status === "failed" ? "delivery delivery-failed" : "delivery delivery-unknown"} role="status">
      <Icon name="alert" size={14} />
      <span>{status === "failed" ? `Not sent. ${error?.message ?? "The channel refused it."}` : "Not confirmed. The customer may have it."}</span>
      {mayReply && <Button look="ghost" busy={busy} onClick={() => void again()}>{status === "failed" ? "Send again" : "Send again?"}</Button>}
    </div>
  );
}

/** One of the member's own that the hub has not confirmed. */
export function OutgoingBubble({ entry, newest }: { readonly entry: OutboxEntry; readonly newest: number }) {
  const { outbox } = useClient();
  const { error, client_message_id: id } = entry;
  const stale = error?.code === "stale";
  const edit = (): void => {
    outbox.discard(id);
    window.dispatchEvent(new CustomEvent("hub:edit", { detail: { conversation_id: entry.conversation_id, kind: entry.kind, text: entry.text, attachments: entry.attachments } satisfies EditDetail }));
  };
  return (
    <article className={`bubble bubble-${entry.kind === "note" ? "note" : "out"} bubble-outgoing`} aria-label="You, on its way">
      <header className="bubble-meta">
        {entry.kind === "note" && <Icon name="note" size={12} />}
        <span>You</span>
        <time dateTime={entry.created_at}>{clockTime(entry.created_at)}</time>
        {entry.kind === "note" && <span>internal note</span>}
      </header>
      {entry.text !== "" && <p className="bubble-text" dir="auto">{entry.text}</p>}
      <Attachments attachments={entry.attachments} />
      {error === null ? <Ticks status="waiting" /> : (
        <div className={stale ? "delivery delivery-unknown" : "delivery delivery-failed"} role="alert">
          <Icon name="alert" size={14} />
          <span>{stale ? error.message : `Not sent. ${error.message}`}</span>
          <Button look="ghost" onClick={() => outbox.retry(id, newest)}>{stale ? "Send anyway" : "Retry"}</Button>
          <Button look="ghost" onClick={edit}>Edit</Button>
          <Button look="ghost" onClick={() => outbox.discard(id)}>Discard</Button>
        </div>
      )}
    </article>
  );
}
