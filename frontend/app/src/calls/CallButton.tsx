/** Calls the contact: from the telephone in this browser where it is on, else the member's own rings and is put through. */
import { useRef, useState } from "react";
import { ApiError } from "../api";
import { useClient, useFeed, useSignal } from "../context";
import { contactName } from "../lib/names";
import type { Conversation, Uuid } from "../types.gen";
import { IconButton } from "../ui/basics";
import { telephone } from "./telephone/telephone";
import { showError, showToast } from "../ui/toasts";

export function CallButton({ conversation }: { readonly conversation: Conversation }) {
  const { api } = useClient();
  const contact = useFeed((state) => state.contacts[conversation.contact_id]);
  const [busy, setBusy] = useState(false);
  // The same id until the hub has answered: asking again after a lost answer rings nobody twice.
  const asking = useRef<{ readonly conversation: Uuid; readonly call: Uuid } | null>(null);
  const name = contactName(contact);
  const phone = useSignal(telephone);
  const here = phone !== null && phone.accountId === conversation.channel_account_id ? phone : null;

  const ring = async (): Promise<void> => {
    if (asking.current?.conversation !== conversation.id) asking.current = { conversation: conversation.id, call: crypto.randomUUID() };
    setBusy(true);
    try {
      const { problem, connect } = await api.callContact(conversation.id, asking.current.call, here === null ? "phone" : "browser");
      asking.current = null;
      if (here !== null) await here.call(connect, name);
      else if (problem === "") showToast(`Your telephone rings. Take the call to be put through to ${name}.`);
      else showToast(problem, { tone: "bad" });
    } catch (error) {
      // A refusal is an answer; silence, or a hub in trouble, is asked about again under the same id.
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) asking.current = null;
      showError(error);
    }
    setBusy(false);
  };
  return <IconButton icon="callOut" label={`Call ${name}`} className="thread-call" disabled={busy} onClick={() => void ring()} />;
}
