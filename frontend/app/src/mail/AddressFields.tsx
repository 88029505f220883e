/** To, Cc, Bcc and the subject of a reply: one line until somebody wants to change them. */
import { useEffect, useId, useState } from "react";
import { useClient } from "../context";
import type { Addressing, Party, ReplyDefaults, Uuid } from "../types.gen";
import { parseParties, partyName, partyText } from "./people";
import "./mail.css";

export interface AddressText {
  readonly to: string;
  readonly cc: string;
  readonly bcc: string;
  readonly subject: string;
}

/** What the fields say, for sending; a complaint where something is not an address. */
export interface Chosen {
  readonly addressing: Addressing | null;
  readonly problem: string;
}

const FIELDS = [["to", "To"], ["cc", "Cc"], ["bcc", "Bcc"]] as const;

export function readAddressing(text: AddressText | null, subject: boolean): Chosen {
  if (text === null) return { addressing: null, problem: "" };
  const lists = { to: parseParties(text.to), cc: parseParties(text.cc), bcc: parseParties(text.bcc) };
  const wrong = FIELDS.flatMap(([name]) => lists[name].wrong)[0];
  if (wrong !== undefined) return { addressing: null, problem: `“${wrong}” is not an address.` };
  if (lists.to.parties.length === 0) return { addressing: null, problem: "Say whom it goes to." };
  return {
    problem: "",
    addressing: { subject: subject ? text.subject.trim() : null, to: lists.to.parties, cc: lists.cc.parties, bcc: lists.bcc.parties },
  };
}

interface AddressFieldsProps {
  readonly conversationId: Uuid;
  /** Changes with each message: whom a reply goes to may change with it. */
  readonly newest: number;
  readonly value: AddressText | null;
  readonly onChange: (value: AddressText | null) => void;
  readonly problem: string;
}

export function AddressFields({ conversationId, newest, value, onChange, problem }: AddressFieldsProps) {
  const defaults = useDefaults(conversationId, newest);
  const id = useId();
  if (value === null) {
    const people = [...(defaults?.to ?? []), ...(defaults?.cc ?? [])];
    return (
      <button type="button" className="address-line" onClick={() => onChange(toText(defaults))} aria-label="Change whom it goes to, and the subject">
        <span className="address-label">To</span>
        <span className="address-text">{people.length === 0 ? "the customer" : people.map(partyName).join(", ")}</span>
        {defaults?.subject != null && defaults.subject !== "" && <span className="address-text address-subject">{defaults.subject}</span>}
      </button>
    );
  }
  return (
    <div className="address-fields">
      {FIELDS.map(([name, label]) => (
        <div className="address-field" key={name}>
          <label htmlFor={`${id}-${name}`}>{label}</label>
          <input id={`${id}-${name}`} value={value[name]} autoComplete="off" spellCheck={false} onChange={(event) => onChange({ ...value, [name]: event.target.value })} />
        </div>
      ))}
      <div className="address-field">
        <label htmlFor={`${id}-subject`}>Subject</label>
        <input id={`${id}-subject`} value={value.subject} maxLength={500} dir="auto" onChange={(event) => onChange({ ...value, subject: event.target.value })} />
      </div>
      <button type="button" className="link-button" onClick={() => onChange(null)}>As usual</button>
      {problem !== "" && <p className="address-problem" role="alert">{problem}</p>}
    </div>
  );
}

function useDefaults(conversationId: Uuid, newest: number): ReplyDefaults | null {
  const { api } = useClient();
  const [defaults, setDefaults] = useState<ReplyDefaults | null>(null);
  useEffect(() => {
    let current = true;
    // Without an answer the line says "the customer", which is what the hub does.
    api.replyDefaults(conversationId).then((answer) => current && setDefaults(answer), () => undefined);
    return () => {
      current = false;
    };
  }, [api, conversationId, newest]);
  return defaults;
}

const list = (parties: readonly Party[] | null | undefined): string => (parties ?? []).map(partyText).join(", ");

function toText(defaults: ReplyDefaults | null): AddressText {
  return { to: list(defaults?.to), cc: list(defaults?.cc), bcc: "", subject: defaults?.subject ?? "" };
}
