/** The right pane: who the contact is and what there was before. */
import { Suspense, lazy, useEffect, useState } from "react";
import { useClient, useFeed, useManifest } from "../context";
import { contactName, identityValue, schemeName } from "../lib/names";
import { calendarDay, shortTime } from "../lib/time";
import { Link } from "../router";
import { may } from "../sync/state";
import type { Contact, Conversation, LifecycleStage, Uuid } from "../types.gen";
import { Avatar, Button, ChannelIcon, IconButton } from "../ui/basics";
import { Icon } from "../ui/icons";
import { showError, showToast } from "../ui/toasts";
import { useMinute } from "./useMinute";

const ContactPrivacy = lazy(() => import("../privacy/ContactPrivacy").then((module) => ({ default: module.ContactPrivacy })));

const STAGES: readonly LifecycleStage[] = ["visitor", "lead", "qualified", "opportunity", "customer", "former"];

export function ContactPane({ conversationId, onClose }: { readonly conversationId: Uuid; readonly onClose: () => void }) {
  const contact = useFeed((state) => {
    const row = state.conversations[conversationId];
    return row === undefined ? undefined : state.contacts[row.contact_id];
  });
  return (
    <aside className="pane pane-contact" aria-label="Contact">
      <header className="pane-head">
        <h2 className="pane-title">Contact</h2>
        <IconButton icon="close" label="Hide the contact" className="contact-close" onClick={onClose} />
      </header>
      {contact !== undefined && <Person contact={contact} conversationId={conversationId} />}
    </aside>
  );
}

function Person({ contact, conversationId }: { readonly contact: Contact; readonly conversationId: Uuid }) {
  return (
    <div className="contact">
      <div className="contact-top">
        <Avatar id={contact.id} name={contact.name} picture={contact.avatar} size="l" />
        <Name key={contact.name} contact={contact} />
      </div>
      <dl className="facts">
        {contact.identities.map((identity) => (
          <div key={`${identity.scheme}/${identity.scope}/${identity.value}`}>
            <dt>{schemeName(identity.scheme)}</dt>
            <dd className={identity.scheme === "visitor" ? "facts-faint" : undefined} title={identity.value}>
              {identityValue(identity)}
              {identity.verified && <span className="verified" title="Verified: somebody proved this address is theirs"><Icon name="check" size={12} />verified</span>}
            </dd>
          </div>
        ))}
        <div><dt>Stage</dt><dd><Stage contact={contact} /></dd></div>
        <div><dt>First seen</dt><dd>{calendarDay(contact.created_at)}</dd></div>
      </dl>
      <Previous contactId={contact.id} conversationId={conversationId} />
      <Rights contact={contact} />
    </div>
  );
}

/** What they agreed to, and what they have a right to: its own dialog, loaded when asked for. */
function Rights({ contact }: { readonly contact: Contact }) {
  const [open, setOpen] = useState(false);
  return (
    <div className="contact-rights">
      <Button look="ghost" icon="eyeOff" onClick={() => setOpen(true)}>Privacy</Button>
      {open && <Suspense fallback={null}><ContactPrivacy contact={contact} onClose={() => setOpen(false)} /></Suspense>}
    </div>
  );
}

function useChange(contact: Contact): (change: { name?: string; lifecycle_stage?: string }) => Promise<boolean> {
  const client = useClient();
  return async (change) => {
    try {
      const answer = await client.api.changeContact(contact.id, change);
      client.feed.merge({ contacts: [answer.contact] });
      return true;
    } catch (error) {
      showError(error);
      return false;
    }
  };
}

function Name({ contact }: { readonly contact: Contact }) {
  const mayWrite = useFeed((state) => may(state, "contacts.write"));
  const change = useChange(contact);
  const [editing, setEditing] = useState(false);
  const [name, setName] = useState(contact.name);
  if (!editing) {
    return (
      <p className="contact-name">
        <strong>{contactName(contact)}</strong>
        {mayWrite && <IconButton icon="edit" label="Change the name" onClick={() => setEditing(true)} />}
      </p>
    );
  }
  const save = async (): Promise<void> => {
    if (name.trim() === contact.name) return setEditing(false);
    if (await change({ name: name.trim() })) {
      setEditing(false);
      showToast("Name saved.");
    }
  };
  return (
    <form className="contact-name" onSubmit={(event) => { event.preventDefault(); void save(); }}>
      {/* The member just asked to edit this very field. */}
      {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
      <input className="input" aria-label="Name" value={name} maxLength={200} autoFocus onChange={(event) => setName(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && setEditing(false)} />
      <button type="submit" className="icon-button" aria-label="Save the name"><Icon name="check" /></button>
    </form>
  );
}

function Stage({ contact }: { readonly contact: Contact }) {
  const mayWrite = useFeed((state) => may(state, "contacts.write"));
  const change = useChange(contact);
  const word = (stage: string): string => stage.charAt(0).toUpperCase() + stage.slice(1);
  if (!mayWrite) return <>{word(contact.lifecycle_stage)}</>;
  return (
    <select className="select-plain" aria-label="Stage" value={contact.lifecycle_stage} onChange={(event) => void change({ lifecycle_stage: event.target.value })}>
      {STAGES.map((stage) => <option key={stage} value={stage}>{word(stage)}</option>)}
    </select>
  );
}

/** The contact's other conversations, newest first. */
function Previous({ contactId, conversationId }: { readonly contactId: Uuid; readonly conversationId: Uuid }) {
  const client = useClient();
  const [fetched, setFetched] = useState<readonly Conversation[] | null>(null);
  const held = useFeed((state) => state.conversations);
  useEffect(() => {
    let wanted = true;
    client.api.contact(contactId).then(({ conversations }) => wanted && setFetched(conversations), () => wanted && setFetched([]));
    return () => {
      wanted = false;
    };
  }, [client, contactId]);
  const known = Object.values(held).filter((row) => row.contact_id === contactId);
  const byId = new Map([...(fetched ?? []), ...known].map((row) => [row.id, row]));
  const rows = [...byId.values()].filter((row) => row.id !== conversationId)
    .sort((left, right) => (left.last_activity_at < right.last_activity_at ? 1 : -1));
  return (
    <section className="previous">
      <h3>Other conversations</h3>
      {rows.length === 0 && <p className="previous-none">{fetched === null ? "Looking…" : "This is the first one."}</p>}
      <ul>{rows.slice(0, 20).map((row) => <PreviousRow key={row.id} row={row} />)}</ul>
    </section>
  );
}

function PreviousRow({ row }: { readonly row: Conversation }) {
  const manifest = useManifest(row.channel);
  const now = useMinute();
  const tab = row.status === "pending" ? "open" : row.status;
  return (
    <li>
      <Link className="previous-row" to={{ page: "inbox", tab, filter: "all", conversation: row.id }}>
        <ChannelIcon channel={manifest} size={15} />
        <span className="previous-text">{row.subject || row.preview || "No text"}</span>
        <span className="previous-meta">{row.status} · {shortTime(row.last_activity_at, now)}</span>
      </Link>
    </li>
  );
}
