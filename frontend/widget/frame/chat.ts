// The conversation as the visitor has it: applies the hub's frames by the cursor rules of docs/protocol.md §5 and §6,
// and is the only writer of ChatState. The views read it; parent.ts and main.ts feed it.
import type { Identity } from "../bridge.ts";
import { isFinal, type Api, type Person } from "./api.ts";
import { jitter_ms } from "./backoff.ts";
import type { Environment, Keep } from "./environment.ts";
import type { Cursor, EventFrame, HubFrame, Visit, VisitorFile, Welcome } from "./frames.ts";
import { openLink } from "./link.ts";
import { openNotice } from "./notice.ts";
import { openOutbox, type Outbox, type Outgoing } from "./outbox.ts";
import { countUnread, START, withEarlier, withChange, withMessage, withSnapshot, type ChatState } from "./state.ts";
import { tellTyping, typingLamp } from "./typing.ts";
import { visiting } from "./visits.ts";

const CLIENT = "hub-widget/1";
const BEHIND_MS = 2000;
const WELCOME_MS = 10_000;
const VOID_TOKENS = 4;

export interface Chat {
  state(): ChatState;
  outbox: Pick<Outbox, "retry" | "remove">;
  /** Loads the settings and, for somebody the hub may know, the conversation. */
  start(): Promise<void>;
  identify(identity: Identity): void;
  fillForm(form: Record<string, string>): void;
  send(text: string, files?: readonly VisitorFile[]): void;
  /** Makes a visitor of somebody who only looked: files need one. */
  begin(): void;
  /** Every keystroke: whether there is text now. */
  typing(on: boolean): void;
  /** Whether the visitor can see the thread: open, and the tab in front. */
  show(visible: boolean): void;
  /** Another tab changed this kept text. */
  stored(key: string): void;
  /** The browser says that the network came or went. */
  wake(): void;
  loadEarlier(): Promise<void>;
}

export interface ChatEvents {
  changed(): void;
  answered(): void;
}

export function openChat(api: Api, environment: Environment, keep: Keep, person: Person, events: ChatEvents): Chat {
  const { after, online, random } = environment;
  let state = START;
  let cursor: Cursor | null = null;
  let visible = false;
  /** Answers were shown that the hub was not told are read. */
  let read_owed = false;
  /** The token the present connection was opened with. */
  let greeted: string | null = null;
  let voided = 0;
  /** Between a welcome that continues our cursor and the next reason to doubt it: only then do events count. */
  let settled = false;
  let cancelBehind = () => {};
  let cancelWelcome = () => {};

  const notice = openNotice(environment, (kind) => set({ notice: kind }));
  const lamp = typingLamp(environment, (typing) => set({ typing }));
  const typing = tellTyping(environment, (on) => {
    if (settled) link.send({ type: "typing", on });
  });
  const outbox = openOutbox(environment, keep, transmit, () => set({ outgoing: outbox.items() }));
  const link = openLink(environment, {
    opened() {
      greeted = null;
      hello();
    },
    received: receive,
    lost,
    ping: () => ({ type: "ping", cursor: cursor?.seq ?? 0 }),
  });
  const visit = visiting(api, environment, keep, person, {
    arrived,
    unusable(complaint) {
      set({ complaint });
      decide();
    },
    refused: halt,
    failing: notice.missing,
  });
  state = { ...START, outgoing: outbox.items() };

  async function start(attempt = 0): Promise<void> {
    try {
      set({ config: await api.config() });
      decide();
    } catch (error) {
      if (isFinal(error as object)) return halt();
      set({ stage: "unreachable" });
      after(1000 + jitter_ms(random(), attempt), () => void start(attempt + 1));
    }
  }

  /** Finds out what is needed before there can be a conversation. */
  function decide(): void {
    const { config, outgoing } = state;
    if (!config) return;
    const known = keep.get("token") || person.identity || person.form;
    if (config.identity_required && !person.identity) return set({ stage: "identity" });
    if (!known && config.pre_chat.length) return set({ stage: "form" });
    // The form stays until its answers are taken.
    if (!person.form) set({ stage: "chat" });
    // Somebody who only looks is not a visitor yet: no row, no socket.
    if (known || outgoing.length) visit();
  }

  function arrived(read: Visit): void {
    cursor = read.cursor;
    read_owed = true;
    set({ ...withSnapshot(state, read), stage: "chat" });
    for (const { client_message_id } of state.messages) outbox.remove(client_message_id ?? "");
    markRead();
    // One connection is one visitor.
    if (greeted && greeted !== read.visitor_token) link.stop();
    link.start();
    hello();
  }

  function hello(): void {
    settle(false);
    const visitor_token = keep.get("token");
    const opening = greeted || !visitor_token ? {} : { visitor_token, client: CLIENT };
    if (!link.send({ type: "hello", protocol: 1, ...opening, cursor })) return;
    greeted ??= visitor_token;
    cancelWelcome = after(WELCOME_MS, link.drop);
  }

  function receive(frame: HubFrame): void {
    const { type } = frame;
    if (type === "welcome") welcomed(frame);
    else if (type === "event") apply(frame);
    else if (type === "head") behind(frame.seq);
    else if (type === "gap") (frame.reason === "rights" ? snapshot : hello)();
    else if (type === "ack") acked(frame.client_message_id, frame.seq);
    else if (type === "typing" && frame.member_id) lamp(frame.on);
    else if (type === "error" && frame.client_message_id)
      outbox.refused(frame.client_message_id, frame.message, frame.retry_after_s);
  }

  function welcomed(frame: Welcome): void {
    if (!frame.recovered) return snapshot();
    voided = 0;
    settle(true);
    notice.returned();
    behind(frame.head);
    markRead();
  }

  function apply({ seq, prev, event }: EventFrame): void {
    if (!settled || seq <= cursor!.seq) return;
    if (prev > cursor!.seq) return hello();
    cursor = { ...cursor!, seq };
    if (event.type === "conversation_closed") set({ closed: true });
    if (event.type === "message_changed") set({ messages: withChange(state.messages, event.message_id, event.text) });
    if (event.type !== "message_added") return;
    const { message } = event;
    set({ messages: withMessage(state.messages, message), closed: false });
    outbox.remove(message.client_message_id ?? "");
    if (message.author_kind !== "contact") {
      read_owed = true;
      lamp(false);
      events.answered();
    }
    markRead();
  }

  function acked(id: string, seq: number): void {
    outbox.acked(id);
    behind(seq);
    // A conversation begun anew counts from 1 again; its events would look old. Then only a fresh read helps.
    after(2 * BEHIND_MS, () => outbox.find(id)?.state === "acked" && snapshot());
  }

  /** The hub has events we have not seen; if they are not here soon, they were lost. */
  function behind(seq: number): void {
    cancelBehind();
    cancelBehind = after(BEHIND_MS, () => settled && seq > cursor!.seq && hello());
  }

  function snapshot(): void {
    settle(false);
    visit();
  }

  function settle(yes: boolean): void {
    settled = yes;
    cancelBehind();
    cancelWelcome();
    outbox.connected(yes);
  }

  function lost(final: boolean, code: number): void {
    settle(false);
    lamp(false);
    greeted = null;
    // 4501: the token is void. Asking over HTTP gives a good one, or says why not.
    if (code === 4501 && voided < VOID_TOKENS) after(1000 * 2 ** voided++, visit);
    else if (final) return halt();
    notice.missing();
  }

  function halt(): void {
    link.stop();
    set({ stage: "stopped" });
  }

  function markRead(): void {
    const last = state.messages.at(-1)?.id;
    if (visible && last && last !== keep.get("read")) keep.set("read", last);
    countAgain();
    if (!visible || !settled || !read_owed || !cursor?.seq) return;
    read_owed = false;
    link.send({ type: "read", seq: cursor.seq });
  }

  function countAgain(): void {
    set({ unread: countUnread(state.messages, keep.get("read")) });
  }

  function transmit({ id, text, files }: Outgoing): void {
    link.send({
      type: "send",
      client_message_id: id,
      kind: "message",
      text,
      attachments: files.map((file) => file.id),
      seen_seq: cursor!.seq,
    });
  }

  function set(change: Partial<ChatState>): void {
    state = { ...state, ...change };
    events.changed();
  }

  return {
    state: () => state,
    outbox,
    start,
    identify(identity) {
      if (JSON.stringify(identity) === JSON.stringify(person.identity)) return;
      person.identity = identity;
      settle(false);
      link.stop();
      decide();
    },
    fillForm(form) {
      person.form = form;
      decide();
    },
    begin: visit,
    send(text, files = []) {
      typing(false);
      outbox.add(text, files);
      if (cursor) link.wake();
      else visit();
    },
    typing,
    show(yes) {
      visible = yes;
      markRead();
      if (yes) link.wake();
    },
    stored(key) {
      if (key === "read") countAgain();
      if (key === "token" && !cursor) decide();
    },
    wake() {
      if (!online()) return notice.missing();
      link.wake();
      if (settled || !cursor) notice.returned();
      else notice.missing();
    },
    async loadEarlier() {
      const page = await api.earlier(keep.get("token")!, state.earlier!);
      set({ messages: withEarlier(state.messages, page.messages), earlier: page.next });
    },
  };
}
