// A clock that is turned by hand, a wire that records, and a hub that keeps one visitor's conversation by the rules of
// docs/protocol.md §6. Faults are the test's to switch on.
import type { Api, Person, Refusal, VisitRequest } from "../frame/api.ts";
import { openChat, type Chat } from "../frame/chat.ts";
import type { Environment, Keep, Socket, SocketEvents } from "../frame/environment.ts";
import type { ClientFrame, Config, EventFrame, Hello, HubFrame, Visit, VisitorMessage } from "../frame/frames.ts";

export const CONFIG: Config = {
  title: "Northwind",
  greeting: "Hello! How can we help?",
  color: "#245fd4",
  pre_chat: [],
  identity_required: false,
  online: true,
};

export class FakeClock implements Omit<Environment, "openSocket"> {
  time_ms = 1_700_000_000_000;
  seed = 1;
  connected = true;
  private count = 0;
  private due: { at: number; order: number; run: () => void }[] = [];

  now = () => this.time_ms;
  online = () => this.connected;
  random = () => {
    // Park and Miller's generator: the same seed is the same run.
    this.seed = (this.seed * 48_271) % 2_147_483_647;
    return this.seed / 2_147_483_647;
  };
  uuid = () => `00000000-0000-4000-8000-${String(++this.count).padStart(12, "0")}`;
  after = (delay_ms: number, run: () => void) => {
    const timer = { at: this.time_ms + delay_ms, order: ++this.count, run };
    this.due.push(timer);
    return () => void (this.due = this.due.filter((other) => other !== timer));
  };

  /** Passes time; promises settle before each timer runs. */
  async pass(ms: number): Promise<void> {
    const end = this.time_ms + ms;
    for (;;) {
      await settle();
      this.due.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.due[0];
      if (!next || next.at > end) break;
      this.due.shift();
      this.time_ms = Math.max(this.time_ms, next.at);
      next.run();
    }
    this.time_ms = end;
  }
}

export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

export class FakeSocket implements Socket {
  readonly sent: ClientFrame[] = [];
  open = false;
  constructor(
    readonly events: SocketEvents,
    private readonly heard: (socket: FakeSocket, frame: ClientFrame) => void,
  ) {}
  send(text: string): void {
    if (!this.open) throw new Error("sent on a socket that is not open");
    const frame = JSON.parse(text) as ClientFrame;
    this.sent.push(frame);
    this.heard(this, frame);
  }
  close(): void {
    this.open = false;
  }
  /** The other side (or the network) ends it. */
  end(code: number): void {
    this.open = false;
    this.events.closed(code);
  }
}

export function memoryKeep(texts = new Map<string, string>()): Keep & { texts: Map<string, string> } {
  return {
    texts,
    get: (key) => texts.get(key) ?? null,
    keys: () => [...texts.keys()],
    set: (key, value) => void (value === null ? texts.delete(key) : texts.set(key, value)),
  };
}

export type Faults = { dropToHub: number; dropToVisitor: number; duplicate: number; cut: number };
const NONE: Faults = { dropToHub: 0, dropToVisitor: 0, duplicate: 0, cut: 0 };

export class FakeHub implements Api {
  readonly sockets: FakeSocket[] = [];
  readonly visits: VisitRequest[] = [];
  readonly heard: ClientFrame[] = [];
  readonly messages: VisitorMessage[] = [];
  readonly events: EventFrame[] = [];
  readonly reads: number[] = [];
  settings: Config = CONFIG;
  epoch = 1;
  faults: Faults = NONE;
  window = 1000;
  reachable = true;
  refuse: ((request: VisitRequest) => Refusal | null) | null = null;
  private accepted = new Map<string, { message_id: string; seq: number }>();
  private welcomed = new Set<FakeSocket>();

  constructor(private readonly clock: FakeClock) {}

  environment(): Environment {
    return { ...this.clock, openSocket: (events) => this.connect(events) } as Environment;
  }

  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (!last) throw new Error("nobody connected");
    return last;
  }

  connect(events: SocketEvents): Socket {
    const socket = new FakeSocket(events, (from, frame) => this.hear(from, frame));
    this.sockets.push(socket);
    this.clock.after(10, () => {
      if (!this.reachable) return socket.end(1006);
      socket.open = true;
      events.opened();
    });
    return socket;
  }

  async config(): Promise<Config> {
    if (!this.reachable) throw new TypeError("unreachable");
    return this.settings;
  }

  async visit(request: VisitRequest): Promise<Visit> {
    if (!this.reachable) throw new TypeError("unreachable");
    this.visits.push(request);
    const refusal = this.refuse?.(request);
    if (refusal) throw refusal;
    const visitor_token = request.visitor_token ?? `token-${this.visits.length}`;
    const cursor = { epoch: this.epoch, seq: this.events.length };
    return { visitor_token, cursor, ...(await this.earlier("", null)) };
  }

  async earlier(_token: string, before: string | null) {
    const end = before ? this.messages.findIndex(({ id }) => id === before) : this.messages.length;
    const start = Math.max(0, end - 20);
    return { messages: this.messages.slice(start, end), next: start > 0 ? this.messages[start]!.id : null };
  }

  /** A member answers. */
  answer(text: string): VisitorMessage {
    return this.add(text, "member", "Priya", null);
  }

  close(): void {
    this.publish({ type: "conversation_closed" });
  }

  say(socket: FakeSocket, frame: HubFrame): void {
    if (this.happens(this.faults.dropToVisitor) && frame.type !== "welcome") return;
    const times = this.happens(this.faults.duplicate) ? 2 : 1;
    for (let time = 0; time < times; time++)
      this.clock.after(5, () => socket.open && socket.events.received(JSON.stringify(frame)));
    if (this.happens(this.faults.cut)) this.clock.after(7, () => socket.open && socket.end(1006));
  }

  private add(text: string, kind: VisitorMessage["author_kind"], name: string | null, mine: string | null) {
    const occurred_at = new Date(this.clock.now()).toISOString();
    const message: VisitorMessage = {
      id: `m${this.messages.length + 1}`,
      author_kind: kind,
      author_name: name,
      text,
      occurred_at,
      client_message_id: mine,
      attachments: [],
    };
    this.messages.push(message);
    this.publish({ type: "message_added", message });
    return message;
  }

  private publish(event: EventFrame["event"]): void {
    const seq = this.events.length + 1;
    const frame: EventFrame = { type: "event", seq, prev: seq - 1, event };
    this.events.push(frame);
    for (const socket of this.welcomed) if (socket.open) this.say(socket, frame);
  }

  private hear(socket: FakeSocket, frame: ClientFrame): void {
    this.heard.push(frame);
    if (frame.type === "hello") return this.greet(socket, frame);
    if (this.happens(this.faults.dropToHub)) return;
    if (frame.type === "ping") this.say(socket, { type: "head", seq: this.events.length });
    if (frame.type === "read") this.reads.push(frame.seq);
    if (frame.type !== "send") return;
    const id = frame.client_message_id;
    if (!this.accepted.has(id)) {
      const message = this.add(frame.text, "contact", null, id);
      this.accepted.set(id, { message_id: message.id, seq: this.events.length });
    }
    this.say(socket, { type: "ack", client_message_id: id, ...this.accepted.get(id)! });
  }

  private greet(socket: FakeSocket, { cursor }: Hello): void {
    const head = this.events.length;
    const recovered =
      !!cursor && cursor.epoch === this.epoch && cursor.seq <= head && head - cursor.seq <= this.window;
    this.say(socket, { type: "welcome", epoch: this.epoch, head, recovered, heartbeat_s: 25 });
    this.welcomed.delete(socket);
    if (!recovered) return;
    for (const event of this.events.slice(cursor.seq)) this.say(socket, event);
    this.welcomed.add(socket);
  }

  private happens(chance: number): boolean {
    return chance > 0 && this.clock.random() < chance;
  }
}

export interface Bench {
  clock: FakeClock;
  hub: FakeHub;
  keep: ReturnType<typeof memoryKeep>;
  chat: Chat;
  person: Person;
  /** A second page with the same storage, as after a reload. */
  reload(): Chat;
  texts(): string[];
}

export function bench(texts?: Map<string, string>, settings?: Partial<Config>): Bench {
  const clock = new FakeClock();
  const hub = new FakeHub(clock);
  hub.settings = { ...CONFIG, ...settings };
  const keep = memoryKeep(texts);
  const person: Person = { identity: null, form: null, page_url: "https://shop.example/cart" };
  const open = () => openChat(hub, hub.environment(), keep, person, { changed() {}, answered() {} });
  const made: Bench = {
    clock,
    hub,
    keep,
    person,
    chat: open(),
    reload: () => (made.chat = open()),
    texts: () => made.chat.state().messages.map(({ text }) => text),
  };
  return made;
}
