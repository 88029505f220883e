/** What hangs on a message: the one it answers, its reactions, its history, and a change that waits or failed. */
import { useState } from "react";
import { useClient, useFeed, useManifest } from "../context";
import { contactName, memberName } from "../lib/names";
import { fullTime } from "../lib/time";
import { may } from "../sync/state";
import type { Conversation, Message, Quote, VersionsView } from "../types.gen";
import { Button } from "../ui/basics";
import { Icon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { gist, joined } from "./changing";
import "./changes.css";

export function Quoted({ quote, conversation }: { readonly quote: Quote; readonly conversation: Conversation }) {
  const held = useFeed((state) => state.messages[conversation.id]?.[quote.message_id]);
  const contact = useFeed((state) => state.contacts[conversation.contact_id]);
  const author = quote.author_name || (quote.author_kind === "contact" ? contactName(contact) : "Our side");
  const text = held === undefined ? quote.text || "Deleted message" : gist(held);
  const show = (): void => document.getElementById(`m-${quote.message_id}`)?.scrollIntoView({ block: "center", behavior: "smooth" });
  return (
    <button type="button" className="quote" disabled={held === undefined} onClick={show} aria-label={`Answers ${author}: ${text}`}>
      <span className="quote-author">{author}</span>
      <span className="quote-text" dir="auto">{text}</span>
    </button>
  );
}

export function Reactions({ message, conversation }: { readonly message: Message; readonly conversation: Conversation }) {
  const client = useClient();
  const me = useFeed((state) => state.me.id);
  const members = useFeed((state) => state.members);
  const contact = useFeed((state) => state.contacts[conversation.contact_id]);
  const mayReply = useFeed((state) => may(state, "inbox.reply"));
  const able = useManifest(conversation.channel)?.capabilities.react === true || message.kind === "note";
  if (message.reactions.length === 0) return null;
  const name = (one: Message["reactions"][number]): string => {
    if (one.author_id === null) return one.author_name || (one.author_kind === "member" ? "Our side" : contactName(contact));
    if (one.author_id === me) return "You";
    return one.author_kind === "member" ? memberName(members[one.author_id]) : contactName(contact);
  };
  return (
    <div className="reactions">
      {joined(message, me).map(({ emoji, count, mine, waiting, authors }) => {
        const names = authors.map(name).join(", ");
        return (
          <button key={emoji} type="button" className={`reaction${mine ? " reaction-mine" : ""}${waiting ? " reaction-waiting" : ""}`} aria-pressed={mine}
            disabled={!mayReply || !able} title={names} aria-label={`${emoji} ${names}`} onClick={() => void client.api.react(conversation.id, message.id, emoji, !mine).catch(showError)}>
            <span aria-hidden="true">{emoji}</span>{count > 1 && <span aria-hidden="true">{count}</span>}
          </button>
        );
      })}
    </div>
  );
}

/** "edited", which opens what it said before. */
export function Edited({ message }: { readonly message: Message }) {
  const { api } = useClient();
  const [versions, setVersions] = useState<VersionsView["versions"] | null>(null);
  const [busy, setBusy] = useState(false);
  if (message.edited_at === null) return null;
  const toggle = async (): Promise<void> => {
    if (versions !== null) return setVersions(null);
    setBusy(true);
    await api.versions(message.conversation_id, message.id).then((answer) => setVersions(answer.versions), showError);
    setBusy(false);
  };
  return (
    <div className="edited">
      <button type="button" className="link-button" aria-expanded={versions !== null} disabled={busy} title={`Edited ${fullTime(message.edited_at)}`} onClick={() => void toggle()}>edited</button>
      {versions?.length === 0 && <p className="version">Nothing earlier is kept.</p>}
      {versions?.map((one) => (
        <div key={one.written_at + one.text} className="version">
          <time dateTime={one.written_at}>{fullTime(one.written_at)}</time>
          <p dir="auto">{one.text}</p>
        </div>
      ))}
    </div>
  );
}

const WAITING = { edit: "Editing…", delete: "Deleting…", react: "", unreact: "" } as const;
const FAILED = { edit: "Not edited.", delete: "Not deleted.", react: "The reaction was not sent.", unreact: "The reaction was not taken back." } as const;

export function ChangeLine({ message }: { readonly message: Message }) {
  const { api } = useClient();
  const { change } = message;
  if (change === null || message.deleted_at !== null) return null;
  const dismiss = (): void => void api.dismissChange(message.conversation_id, message.id).catch(showError);
  if (change.state === "waiting") {
    return (
      <div className="change-line" role="status">
        <span>{WAITING[change.kind]}</span>
        <Button look="ghost" onClick={dismiss}>Cancel</Button>
      </div>
    );
  }
  return (
    <div className="change-line change-failed" role="status">
      <Icon name="alert" size={14} />
      <span>{FAILED[change.kind]} {change.error}</span>
      <Button look="ghost" onClick={dismiss}>Dismiss</Button>
    </div>
  );
}
