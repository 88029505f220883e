/** Where replies and notes are written: a draft per conversation and mode, its length in the channel's measure. */
import { Suspense, lazy, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { KeyboardEvent } from "react";
import { useClient, useFeed, useManifest, useSignal } from "../context";
import { Tray } from "../files/Tray";
import { acceptOf } from "../files/kinds";
import type { Upload } from "../files/uploads";
import { useDrop } from "../files/useDrop";
import { loadDraft, saveDraft } from "../lib/drafts";
import { MOD } from "../lib/keys";
import { contactName } from "../lib/names";
import { CHANNELS, Link } from "../router";
import type { WritingKind } from "../sync/frames";
import { AddressFields, readAddressing } from "../mail/AddressFields";
import type { AddressText } from "../mail/AddressFields";
import { may } from "../sync/state";
import type { Attachment, Capabilities, ChannelAccount, Conversation, TemplateUse } from "../types.gen";
import { Button, IconButton, Kbd } from "../ui/basics";
import { Icon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { gist } from "./changing";
import type { TargetDetail } from "./changing";
import { TakeDraft, closedRule } from "./TakeDraft";
import { Length, tooLong } from "./Length";
import { newestSeq } from "./thread";
import { useMinute } from "./useMinute";
import { useTypingSignal } from "./useTypingSignal";
import { windowOf } from "./window";
import { WindowLeft, closedWords } from "./WindowNote";

const TemplatePicker = lazy(() => import("./TemplatePicker").then((module) => ({ default: module.TemplatePicker })));

const GROW_LIMIT_PX = 260;

export function Composer({ conversation }: { readonly conversation: Conversation }) {
  const account = useFeed((state) => state.channelAccounts[conversation.channel_account_id]);
  const mayReply = useFeed((state) => may(state, "inbox.reply"));
  if (!mayReply) return <p className="composer-closed">Your role can read this inbox but not reply. Ask an owner or admin.</p>;
  return <Writer conversation={conversation} blocked={whyBlocked(account)} />;
}

/** Why nothing can be sent on this account, in words; null when it can. */
function whyBlocked(account: ChannelAccount | undefined): string | null {
  switch (account?.status) {
    case "paused": return "This channel is paused: replies wait for it to be resumed.";
    case "needs_sign_in": return `This channel needs attention${account.status_reason === "" ? "." : `: ${account.status_reason}`}`;
    case "removed": return "This channel was removed. Only notes can be added.";
    default: return null;
  }
}

function Writer({ conversation, blocked }: { readonly conversation: Conversation; readonly blocked: string | null }) {
  const { id } = conversation;
  const client = useClient();
  const manifest = useManifest(conversation.channel);
  const contact = useFeed((state) => state.contacts[conversation.contact_id]);
  const account = useFeed((state) => state.channelAccounts[conversation.channel_account_id]);
  const removed = account?.status === "removed";
  const [mode, setMode] = useState<WritingKind>(removed ? "note" : "message");
  const { text, write, area } = useDraft(id, mode);
  const signalTyping = useTypingSignal(id, mode);
  useWriteKeys(id, area, setMode, write);
  const target = useTarget(id, area, mode, setMode, text, write);

  const limit = mode === "message" ? manifest?.capabilities : undefined;
  // Of calls there is nothing to write back.
  const mute = manifest?.capabilities.text_limit === 0;
  const rule = mode === "message" ? closedRule(manifest, account) : undefined;
  const cannot = mode === "message" && (removed || mute || rule?.draft_url === "");
  const files = useFiles(conversation, limit, !cannot && rule === undefined && (mode === "note" || limit?.attachments === true));
  const newest = useFeed((state) => newestSeq(state.messages[id]));
  const [people, setPeople] = useState<AddressText | null>(null);
  const addressed = mode === "message" && manifest?.capabilities.copies === true;
  const chosen = readAddressing(addressed ? people : null, manifest?.capabilities.subject === true);
  const window = windowOf(conversation, limit, useMinute());
  const closed = target?.what === "edit" ? "" : rule?.why ?? closedWords(window, limit?.templates === true);
  const [picking, setPicking] = useState(false);
  const written = text.trim() !== "" || files.ready;
  const ready = written && !cannot && closed === "" && !files.busy && chosen.problem === "" && !tooLong(text, limit);
  const send = (): void => {
    if (!ready) return;
    if (target?.what === "edit") return void target.save(text.trim());
    client.send({
      conversation_id: id, kind: mode, text: text.trim(), seen_seq: newest === 0 ? null : newest,
      attachments: client.uploads.take(id), addressing: chosen.addressing, reply_to: target?.message.id ?? null,
    });
    target?.drop();
    write("");
    setPeople(null);
    signalTyping(false);
    area.current?.focus();
  };
  const sendTemplate = (template: TemplateUse, reads: string): void => {
    client.send({ conversation_id: id, kind: "message", text: reads, seen_seq: newest === 0 ? null : newest, template });
    area.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
    if (event.key !== "Escape") return;
    if (target === null) return area.current?.blur();
    event.stopPropagation();
    target.drop();
  };
  const first = contactName(contact).split(" ")[0];
  return (
    <div className={`composer composer-${mode}`} {...files.drop.handlers}>
      {mode === "message" && blocked !== null && (
        <p className="composer-warning"><Icon name="alert" size={14} /><span>{blocked}</span><Link to={CHANNELS}>Open channels</Link></p>
      )}
      {mode === "message" && blocked === null && closed !== "" && <p className="composer-warning"><Icon name="clock" size={14} /><span>{closed}</span></p>}
      <div className="composer-tabs" role="tablist" aria-label="What to write">
        <ModeTab mode="message" current={mode} onPick={setMode} icon="reply">Reply</ModeTab>
        <ModeTab mode="note" current={mode} onPick={setMode} icon="note">Note</ModeTab>
      </div>
      {target !== null && (
        <div className="composer-target">
          <Icon name={target.what === "edit" ? "edit" : "reply"} size={14} />
          <span>{target.what === "edit" ? "Editing: " : "Answering: "}{gist(target.message)}</span>
          <IconButton icon="close" label={target.what === "edit" ? "Stop editing (Esc)" : "Answer none (Esc)"} onClick={target.drop} />
        </div>
      )}
      {addressed && <AddressFields conversationId={id} newest={newest} value={people} onChange={setPeople} problem={chosen.problem} />}
      <textarea ref={area} className="composer-text" rows={1} value={text} dir="auto" aria-label={mode === "note" ? "Note" : "Reply"} disabled={cannot}
        placeholder={mode === "note" ? "Write a note. Only your team sees it." : mute ? "Nobody can be written to on this channel. Notes can be added." : `Reply to ${first}…`}
        onChange={(event) => { write(event.target.value); signalTyping(event.target.value.trim() !== ""); }}
        onBlur={() => signalTyping(false)} onKeyDown={onKeyDown} />
      <Tray conversation={conversation} />
      {files.drop.over && <div className="drop-here" aria-hidden="true"><Icon name="clip" size={22} />Drop to attach</div>}
      <div className="composer-foot">
        {files.allowed && <AttachButton accept={acceptOf(limit)} onFiles={files.add} />}
        {limit?.templates === true && !cannot && rule === undefined && <Button look={closed === "" ? "ghost" : "quiet"} icon="note" onClick={() => setPicking(true)}>Template</Button>}
        <Length text={text} capabilities={limit} />
        <WindowLeft window={window} />
        <span className="composer-space" />
        <span className="composer-hint"><Kbd>{MOD}</Kbd><Kbd>Enter</Kbd></span>
        {rule !== undefined ? <TakeDraft text={text} rule={rule} contact={contact} /> : <Button look={mode === "note" ? "quiet" : "primary"} icon={mode === "note" ? "note" : "send"} disabled={!ready} onClick={send}>
          {target?.what === "edit" ? "Save" : mode === "note" ? "Add note" : "Send"}
        </Button>}
      </div>
      {picking && <Suspense fallback={null}><TemplatePicker accountId={conversation.channel_account_id} onClose={() => setPicking(false)} onSend={sendTemplate} /></Suspense>}
    </div>
  );
}

function AttachButton({ accept, onFiles }: { readonly accept: string; readonly onFiles: (files: readonly File[]) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <IconButton icon="clip" label="Attach files" className="composer-attach" onClick={() => input.current?.click()} />
      <input ref={input} type="file" multiple hidden accept={accept} aria-hidden="true" tabIndex={-1}
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = ""; // the same file may be chosen again
        }} />
    </>
  );
}

/** The files of the message being written: taken from the dialog, a drop or the clipboard. */
function useFiles(conversation: Conversation, capabilities: Capabilities | undefined, allowed: boolean) {
  const { uploads } = useClient();
  const held: readonly Upload[] | undefined = useSignal(uploads)[conversation.id];
  const add = (files: readonly File[]): void => uploads.add(conversation.id, files, capabilities);
  const drop = useDrop(add, allowed);
  return {
    add, drop, allowed,
    ready: held?.some((one) => one.attachment !== null) === true,
    busy: held?.some((one) => one.attachment === null && one.problem === "") === true,
  };
}

interface ModeTabProps {
  readonly mode: WritingKind;
  readonly current: WritingKind;
  readonly icon: "reply" | "note";
  readonly onPick: (mode: WritingKind) => void;
  readonly children: string;
}

function ModeTab({ mode, current, icon, onPick, children }: ModeTabProps) {
  return (
    <button type="button" role="tab" aria-selected={mode === current} className="composer-tab" onClick={() => onPick(mode)}>
      <Icon name={icon} size={14} />{children}
    </button>
  );
}

/** The text on screen and its copy in storage; the field grows with it. */
function useDraft(id: string, mode: WritingKind) {
  const { workspaceId } = useClient();
  const owner = `${workspaceId}.${useFeed((state) => state.me.id)}`;
  const [texts, setTexts] = useState(() => ({ message: loadDraft(owner, id, "message"), note: loadDraft(owner, id, "note") }));
  const area = useRef<HTMLTextAreaElement>(null);
  const text = texts[mode];
  const write = useCallback((next: string, kind: WritingKind = mode) => {
    setTexts((held) => ({ ...held, [kind]: next }));
    saveDraft(owner, id, kind, next);
  }, [owner, id, mode]);
  useLayoutEffect(() => {
    const element = area.current;
    if (element === null) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(GROW_LIMIT_PX, element.scrollHeight)}px`;
  }, [text, mode]);
  return { text, write, area };
}

/** What "Edit" on an unsent message hands back. */
export interface EditDetail {
  readonly conversation_id: string;
  readonly kind: WritingKind;
  readonly text: string;
  readonly attachments: readonly Attachment[];
}

/** The message that is being edited or answered; Escape, or saving, brings back what was being written. */
function useTarget(id: string, area: React.RefObject<HTMLTextAreaElement | null>, mode: WritingKind, setMode: (mode: WritingKind) => void, text: string, write: (text: string, kind: WritingKind) => void) {
  const client = useClient();
  const [held, setHeld] = useState<(TargetDetail & { readonly kind: WritingKind; readonly before: string }) | null>(null);
  const latest = useRef({ text, mode });
  latest.current = { text, mode };
  useEffect(() => {
    const onTarget = (event: Event): void => {
      const detail = (event as CustomEvent<TargetDetail>).detail;
      if (detail.message.conversation_id !== id) return;
      const kind: WritingKind = detail.message.kind === "note" ? "note" : "message";
      const before = latest.current.mode === kind ? latest.current.text : "";
      setHeld({ ...detail, kind, before });
      setMode(kind);
      if (detail.what === "edit") write(detail.message.change?.text || detail.message.text, kind);
      requestAnimationFrame(() => area.current?.focus());
    };
    window.addEventListener("hub:target", onTarget);
    return () => window.removeEventListener("hub:target", onTarget);
  }, [id, area, setMode, write]);
  // Another kind of text was chosen: what was aimed at is of no use there.
  if (held === null || held.kind !== mode) return null;
  const drop = (): void => {
    setHeld(null);
    if (held.what === "edit") write(held.before, held.kind);
  };
  const save = async (next: string): Promise<void> => {
    try {
      await client.api.editMessage(id, held.message.id, next);
      drop();
    } catch (error) {
      showError(error);
    }
  };
  return { ...held, drop, save };
}

/** R and N put the caret here; "Edit" on an unsent message brings its text back. */
function useWriteKeys(id: string, area: React.RefObject<HTMLTextAreaElement | null>, setMode: (mode: WritingKind) => void, write: (text: string, kind: WritingKind) => void): void {
  const client = useClient();
  useEffect(() => {
    const onWrite = (event: Event): void => {
      setMode((event as CustomEvent<WritingKind>).detail);
      requestAnimationFrame(() => area.current?.focus());
    };
    const onEdit = (event: Event): void => {
      const { conversation_id, kind, text, attachments } = (event as CustomEvent<EditDetail>).detail;
      if (conversation_id !== id) return;
      client.uploads.putBack(id, attachments);
      setMode(kind);
      write(text, kind);
      requestAnimationFrame(() => area.current?.focus());
    };
    window.addEventListener("hub:write", onWrite);
    window.addEventListener("hub:edit", onEdit);
    return () => {
      window.removeEventListener("hub:write", onWrite);
      window.removeEventListener("hub:edit", onEdit);
    };
  }, [id, area, setMode, write, client]);
}
