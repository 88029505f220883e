/** A message, a note, or one that is still on its way, with its delivery state in words and ticks. */
import { memo, useEffect, useState } from "react";
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
import { ChangeLine, Edited, Quoted, Reactions } from "./MessageMarks";
import { MessageMenu } from "./MessageMenu";
import { Ticks } from "./Ticks";

interface MessageProps {
  readonly message: Message;
  readonly grouped: boolean;
  readonly conversation: Conversation;
}

export const MessageBubble = memo(function MessageBubble({ message, grouped, conversation }: MessageProps) {
  const author = useAuthor(message, conversation);
  const side = message.kind === "note" ? "note" : message.direction === "inbound" ? "in" : "out";
  const deletion = useDeletion(message);
  const gone = message.deleted_at !== null;
  const leaving = !gone && (deletion.held || (message.change?.kind === "delete" && message.change.state === "waiting"));
  const editing = message.change?.kind === "edit" && message.change.state === "waiting";
  const shown = editing ? { ...message, text: message.change.text, has_html: false } : message;
  return (
    <article id={`m-${message.id}`} className={`bubble bubble-${side}${grouped ? " bubble-grouped" : ""}${leaving ? " bubble-leaving" : ""}`} aria-label={`${author}, ${clockTime(message.occurred_at)}`}>
      {!grouped && (
        <header className="bubble-meta">
          {message.kind === "note" && <Icon name="note" size={12} />}
          <span>{author}</span>
          <time dateTime={message.occurred_at} title={fullTime(message.occurred_at)}>{clockTime(message.occurred_at)}</time>
          {message.kind === "note" && <span>internal note</span>}
          {message.kind === "form" && <span>form</span>}
        </header>
      )}
      {message.reply_to !== null && <Quoted quote={message.reply_to} conversation={conversation} />}
      <MailPeople message={message} subject={conversation.subject} />
      {gone && <p className="bubble-gone">{message.direction === "inbound" ? "Deleted by the sender" : "Deleted"}</p>}
      {message.unreadable !== "" && message.text === "" && <p className="bubble-gone">{message.unreadable}</p>}
      {(shown.text !== "" || shown.has_html) && <MailBody message={shown} />}
      <Attachments attachments={message.attachments} />
      <Reactions message={message} conversation={conversation} />
      {!gone && <Edited message={message} />}
      {deletion.held ? (
        <div className="change-line" role="status"><span>Deleting…</span><Button look="ghost" onClick={deletion.undo}>Undo</Button></div>
      ) : <ChangeLine message={message} />}
      {side === "out" && message.status !== null && !gone && <Delivery message={message} />}
      {!gone && !deletion.held && <MessageMenu message={message} conversation={conversation} onDelete={deletion.start} />}
    </article>
  );
});

const UNDO_MS = 5_000;

/** A deletion leaves after five seconds, or at once when the page or the thread is left. */
function useDeletion({ id, conversation_id }: Message) {
  const { api } = useClient();
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (!held) return;
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      api.deleteMessage(conversation_id, id).catch(showError).finally(() => setHeld(false));
    };
    const timer = setTimeout(leave, UNDO_MS);
    const undo = (): void => { left = true; };
    window.addEventListener("pagehide", leave);
    window.addEventListener(`hub:undo-${id}`, undo);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("pagehide", leave);
      window.removeEventListener(`hub:undo-${id}`, undo);
      leave();
    };
  }, [held, api, conversation_id, id]);
  const undo = (): void => {
    window.dispatchEvent(new Event(`hub:undo-${id}`));
    setHeld(false);
  };
  return { held, start: () => setHeld(true), undo };
}

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
