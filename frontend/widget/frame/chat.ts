// The conversation as the visitor has it: applies the hub's frames by the cursor rules of docs/protocol.md §5 and §6,
// and is the only writer of ChatState. The views read it; parent.ts and main.ts feed it.
import type { Identity } from "../bridge.ts";
import { Refusal, type Api } from "./api.ts";
import { jitter_ms } from "./backoff.ts";
import type { Environment, Keep } from "./environment.ts";
import type { Cursor, EventFrame, HubFrame, Visit, Welcome } from "./frames.ts";
import { Link } from "./link.ts";
import { Notice } from "./notice.ts";
import { Outbox } from "./outbox.ts";
import { countUnread, START, withEarlier, withMessage, withSnapshot, type ChatState } from "./state.ts";
import { TypingLamp, TypingTold } from "./typing.ts";
import { Visits } from "./visits.ts";

const CLIENT = "hub-widget/1";
/** Stands for "the conversation I do not have yet"; the hub knows a visitor's conversation by their token. */
const NO_CONVERSATION = "00000000-0000-0000-0000-000000000000";
const BEHIND_MS = 2000;
const WELCOME_MS = 10_000;
const VOID_TOKENS = 4;

export class Chat {
  state: ChatState = START;
  readonly visits: Visits;
  readonly outbox: Outbox;
  readonly #link: Link;
  readonly #lamp: TypingLamp;
  readonly #told: TypingTold;
  readonly #notice: Notice;
  readonly #listeners = new Set<() => void>();
  #cursor: Cursor | null = null;
  #conversation_id: string | null = null;
  #before: string | null = null;
  #visible = false;
  /** Answers were shown that the hub was not told are read. */
  #read_owed = false;
  /** The token the present connection was opened with. */
  #greeted: string | null = null;
  #voided = 0;
  /** Between a welcome that continues our cursor and the next reason to doubt it: only then do events count. */
  #settled = false;
  #cancelBehind = () => {};
  #cancelWelcome = () => {};

  readonly #api: Api;
  readonly #environment: Environment;
  readonly #keep: Keep;
  readonly #onAnswer: () => void;

  constructor(
    api: Api,
    environment: Environment,
    keep: Keep,
    onAnswer: () => void = () => {},
  ) {
    this.#api = api;
    this.#environment = environment;
    this.#keep = keep;
    this.#onAnswer = onAnswer;
    this.#link = new Link(environment, {
      opened: () => {
        this.#greeted = null;
        this.#hello();
      },
      received: (frame) => this.#receive(frame),
      lost: (final, code) => this.#lost(final, code),
      ping: () => ({ type: "ping", cursor: this.#cursor?.seq ?? 0 }),
    });
    this.visits = new Visits(api, environment, keep, {
      arrived: (visit) => this.#arrived(visit),
      unidentified: () => this.#decide(),
      refused: () => this.#halt(),
      failing: () => this.#notice.missing(),
    });
    this.outbox = new Outbox(
      environment,
      keep,
      (item) =>
        this.#link.send({
          type: "send",
          client_message_id: item.id,
          conversation_id: this.#conversation_id ?? NO_CONVERSATION,
          kind: "message",
          text: item.text,
          attachments: [],
          seen_seq: this.#cursor?.seq ?? null,
        }),
      () => this.#set({ outgoing: this.outbox.items }),
    );
    this.#notice = new Notice(environment, (notice) => this.#set({ notice }));
    this.#lamp = new TypingLamp(environment, (typing) => this.#set({ typing }));
    this.#told = new TypingTold(environment, (on) => {
      const conversation_id = this.#conversation_id;
      if (this.#settled && conversation_id) this.#link.send({ type: "typing", conversation_id, on, kind: "message" });
    });
    this.state = { ...START, outgoing: this.outbox.items };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Loads the settings and, for somebody the hub may know, the conversation. */
  async start(attempt = 0): Promise<void> {
    try {
      this.#set({ config: await this.#api.config(), stage: "loading" });
      this.#decide();
    } catch (error) {
      if (error instanceof Refusal && !error.passing) return this.#halt();
      this.#set({ stage: "unreachable" });
      this.#environment.after(1000 + jitter_ms(this.#environment.random(), attempt), () => void this.start(attempt + 1));
    }
  }

  identify(identity: Identity): void {
    if (JSON.stringify(identity) === JSON.stringify(this.visits.identity)) return;
    this.visits.identity = identity;
    if (!this.state.config) return;
    this.#settle(false);
    this.#link.stop();
    this.#decide();
  }

  fillForm(form: Record<string, string>): void {
    this.visits.form = form;
    this.#decide();
  }

  send(text: string): void {
    this.#told.input(false);
    this.outbox.add(text);
    if (this.#cursor) this.#link.wake();
    else this.visits.ask();
  }

  typing(on: boolean): void {
    this.#told.input(on);
  }

  /** Whether the visitor can see the thread: open, and the tab in front. */
  show(visible: boolean): void {
    this.#visible = visible;
    this.#markRead();
    if (visible) this.#link.wake();
  }

  /** Another tab read, or wrote the token. */
  stored(key: string): void {
    if (key === "read") this.#set({ unread: this.#unread() });
    if (key === "token" && !this.#cursor && this.state.config) this.#decide();
  }

  wake(): void {
    if (this.#environment.online()) this.#link.wake();
    else this.#notice.missing();
  }

  async loadEarlier(): Promise<void> {
    const { token } = this.visits;
    if (!token) return;
    const count = this.state.messages.length;
    do {
      // Without `before` this is the page already shown: then go on to the one before it.
      const page = await this.#api.earlier(token, this.#before);
      this.#before = page.next;
      this.#set({ messages: withEarlier(this.state.messages, page.messages), earlier: page.next !== null });
    } while (this.#before && this.state.messages.length === count);
  }

  #decide(): void {
    const { config, outgoing } = this.state;
    const { identity, token, form } = this.visits;
    if (!config) return;
    if (config.identity_required && !identity) return this.#set({ stage: "identity" });
    const known = token || identity || form;
    if (!known && config.pre_chat.length) return this.#set({ stage: "form" });
    this.#set({ stage: "chat" });
    // Somebody who only looks is not a visitor yet: no row, no socket.
    if (known || outgoing.length) this.visits.ask();
  }

  #arrived(visit: Visit): void {
    this.#cursor = visit.cursor;
    this.#conversation_id = visit.conversation_id;
    this.#read_owed = true;
    const { messages, earlier } = withSnapshot(this.state, visit.messages);
    if (messages[0]?.id !== this.state.messages[0]?.id) this.#before = null;
    for (const message of messages) this.#shown(message.client_message_id);
    this.#set({ messages, earlier, stage: "chat" });
    this.#markRead();
    // One connection is one visitor.
    if (this.#greeted && this.#greeted !== visit.visitor_token) this.#link.stop();
    this.#link.start();
    this.#hello();
  }

  #hello(): void {
    this.#settle(false);
    if (!this.#link.open) return;
    const { token } = this.visits;
    const opening = this.#greeted === null && token ? { visitor_token: token, client: CLIENT } : {};
    this.#link.send({ type: "hello", protocol: 1, ...opening, cursor: this.#cursor });
    this.#greeted ??= token;
    this.#cancelWelcome = this.#environment.after(WELCOME_MS, () => this.#link.drop());
  }

  #receive(frame: HubFrame): void {
    if (frame.type === "welcome") this.#welcomed(frame);
    else if (frame.type === "event") this.#apply(frame);
    else if (frame.type === "head") this.#behind(frame.seq);
    else if (frame.type === "gap") frame.reason === "rights" ? this.#snapshot() : this.#hello();
    else if (frame.type === "ack") this.#acked(frame.client_message_id, frame.seq);
    else if (frame.type === "error" && frame.client_message_id)
      this.outbox.refused(frame.client_message_id, frame.message, frame.retry_after_s);
    else if (frame.type === "typing" && frame.member_id) this.#lamp.set(frame.on);
  }

  #welcomed(frame: Welcome): void {
    if (!frame.recovered) return this.#snapshot();
    this.#conversation_id = frame.conversation_id ?? this.#conversation_id;
    this.#voided = 0;
    this.#settle(true);
    this.#notice.returned();
    this.#behind(frame.head);
    this.#markRead();
  }

  #apply({ seq, prev, event }: EventFrame): void {
    if (!this.#settled || !this.#cursor || seq <= this.#cursor.seq) return;
    if (prev > this.#cursor.seq) return this.#hello();
    this.#cursor = { ...this.#cursor, seq };
    if (event.type === "conversation_closed") this.#set({ closed: true });
    if (event.type !== "message_added") return;
    const { message } = event;
    this.#set({ messages: withMessage(this.state.messages, message), closed: false });
    this.#shown(message.client_message_id);
    if (message.author_kind !== "contact") {
      this.#read_owed = true;
      this.#lamp.set(false);
      this.#onAnswer();
    }
    this.#markRead();
  }

  #acked(id: string, seq: number): void {
    if (!this.outbox.acked(id)) return;
    // The first message made the conversation: a hello in place tells its id, which typing and read marks name.
    if (!this.#conversation_id) this.#hello();
    this.#behind(seq);
    // A conversation begun anew counts from 1 again; its events would look old. Then only a fresh read helps.
    this.#environment.after(2 * BEHIND_MS, () => this.outbox.find(id)?.state === "acked" && this.#snapshot());
  }

  /** The hub has events we have not seen; if they are not here soon, they were lost. */
  #behind(seq: number): void {
    this.#cancelBehind();
    if (seq <= (this.#cursor?.seq ?? 0)) return;
    this.#cancelBehind = this.#environment.after(BEHIND_MS, () => {
      if (this.#settled && seq > (this.#cursor?.seq ?? 0)) this.#hello();
    });
  }

  #snapshot(): void {
    this.#settle(false);
    this.visits.ask();
  }

  #settle(settled: boolean): void {
    this.#settled = settled;
    this.#cancelBehind();
    this.#cancelWelcome();
    this.outbox.connected(settled);
  }

  #lost(final: boolean, code: number): void {
    this.#settle(false);
    this.#lamp.set(false);
    this.#greeted = null;
    // 4501: the token is void. Asking over HTTP gives a good one, or says why not.
    if (code === 4501 && this.#voided < VOID_TOKENS)
      this.#environment.after(1000 * 2 ** this.#voided++, () => this.visits.ask());
    else if (final) return this.#halt();
    this.#notice.missing();
  }

  #halt(): void {
    this.#link.stop();
    this.#notice.clear();
    this.#set({ stage: "stopped" });
  }

  #shown(client_message_id: string | null): void {
    if (client_message_id) this.outbox.remove(client_message_id);
  }

  #markRead(): void {
    const last = this.state.messages.at(-1);
    if (this.#visible && last && last.id !== this.#keep.get("read")) this.#keep.set("read", last.id);
    this.#set({ unread: this.#unread() });
    const cursor = this.#cursor;
    const conversation_id = this.#conversation_id;
    if (!this.#visible || !this.#settled || !this.#read_owed || !cursor?.seq || !conversation_id) return;
    this.#read_owed = false;
    this.#link.send({ type: "read", conversation_id, seq: cursor.seq });
  }

  #unread(): number {
    return countUnread(this.state.messages, this.#keep.get("read"));
  }

  #set(change: Partial<ChatState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
  }
}
