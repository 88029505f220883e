/** A telephone call in the thread: which way, who spoke, how long; its recording to hear and its words to read. */
import { memo } from "react";
import { useFeed } from "../context";
import { Attachments } from "../files/Attachments";
import { contactName } from "../lib/names";
import { clockTime, fullTime } from "../lib/time";
import { useMinute } from "../inbox/useMinute";
import type { Conversation, Message } from "../types.gen";
import { Icon } from "../ui/icons";
import { callWords, spokenWords } from "./words";
import "./calls.css";

interface CallCardProps {
  readonly message: Message;
  /** Recordings and the mailbox's messages of this call. */
  readonly parts: readonly Message[];
  readonly conversation: Conversation;
}

export const CallCard = memo(function CallCard({ message, parts, conversation }: CallCardProps) {
  const now = useMinute();
  const contact = useFeed((state) => state.contacts[conversation.contact_id]);
  const words = callWords(message, parts.some((part) => part.deleted_at === null && part.text.startsWith("Voicemail")), now);
  const side = message.direction === "inbound" ? "in" : "out";
  const who = `${words.title} ${side === "in" ? "from" : "to"} ${contactName(contact)}`;
  return (
    <article id={`m-${message.id}`} className={`call call-${side}`} aria-label={`${who}, ${clockTime(message.occurred_at)}`}>
      <div className="call-head">
        <span className={`call-sign call-${words.tone}`}><Icon name={side === "in" ? "callIn" : "callOut"} size={16} /></span>
        <div className="call-what">
          <strong>{words.title}</strong>
          <span className={`call-state call-${words.tone}`} role={words.tone === "live" ? "status" : undefined}>{words.state}</span>
        </div>
        <time className="call-at" dateTime={message.occurred_at} title={fullTime(message.occurred_at)}>{clockTime(message.occurred_at)}</time>
      </div>
      {words.times.length > 0 && (
        <dl className="call-times">
          {words.times.map(({ label, length }) => <div key={label}><dt>{label}</dt><dd>{length}</dd></div>)}
        </dl>
      )}
      {message.error !== null && <p className="call-error" role="status"><Icon name="alert" size={14} /> {message.error.message}</p>}
      {parts.map((part) => <Part key={part.id} part={part} />)}
    </article>
  );
});

function Part({ part }: { readonly part: Message }) {
  const spoken = spokenWords(part);
  if (part.deleted_at !== null) return <p id={`m-${part.id}`} className="bubble-gone">Deleted</p>;
  return (
    <section id={`m-${part.id}`} className="call-part" aria-label={part.text.split(/[,:]/)[0]}>
      <span className="call-name">{spoken === "" ? part.text : "Voicemail"}</span>
      {spoken !== "" && <blockquote className="call-words" dir="auto">{spoken}</blockquote>}
      <Attachments attachments={part.attachments} />
    </section>
  );
}
