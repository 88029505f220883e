/**
 * Everything a signed-in member's tab has: state, socket, outbox, company. Wires them and offers what the screens do.
 * One instance per workspace; React sees it through app/context.tsx.
 */
import { ApiError, accountApi, workspaceApi } from "../api";
import type { ConversationChange, WorkspaceApi } from "../api";
import type { Conversation, Uuid } from "../types.gen";
import type { Clock } from "./clock";
import { Ephemeral } from "./ephemeral";
import { Pages } from "./pages";
import { Feed } from "./feed";
import type { Cursor, EventFrame, ServerFrame, Welcome, WritingKind } from "./frames";
import { Outbox, localOutbox } from "./outbox";
import type { NewEntry } from "./outbox";
import { Uploads } from "../files/uploads";
import { noticeApi } from "../notices/calls";
import { NoticeList } from "../notices/list";
import { HubSocket } from "./socket";
import type { Connection, Receiver, SocketLike } from "./socket";
import { fromSnapshot } from "./store";
import { Signal } from "./signal";

const SNAPSHOT_ROWS = 50;
const VIEWING_REPEAT_MS = 20_000;

export interface ClientOptions {
  readonly workspaceId: number;
  readonly memberId: Uuid;
  readonly clock: Clock;
  readonly storage: Storage;
  readonly openSocket: () => SocketLike;
  readonly api?: WorkspaceApi;
  readonly onSignedOut: () => void;
}

/** Changes shown before the hub confirmed them, by conversation. */
export type Pending = Readonly<Record<Uuid, Partial<Conversation>>>;

export class HubClient implements Receiver {
  readonly workspaceId: number;
  readonly api: WorkspaceApi;
  readonly feed: Feed;
  readonly outbox: Outbox;
  readonly company: Ephemeral;
  readonly connectionSignal = new Signal<Connection>({ phase: "connecting" });
  readonly pending = new Signal<Pending>({});
  /** Counts what the member did to conversations: the list may move for them even under the pointer. */
  readonly acts = new Signal(0);
  readonly pages: Pages;
  readonly uploads: Uploads;
  readonly notices: NoticeList;
  private readonly socket: HubSocket;
  private viewed: Uuid | null = null;
  private keptUnread: Uuid | null = null;
  private viewTimer: ReturnType<Clock["setTimeout"]> | null = null;

  constructor(private readonly options: ClientOptions) {
    this.workspaceId = options.workspaceId;
    this.api = options.api ?? workspaceApi(options.workspaceId);
    this.feed = new Feed(options.clock);
    this.pages = new Pages(this.feed, this.api);
    this.company = new Ephemeral(options.clock);
    this.uploads = new Uploads(`/workspaces/${options.workspaceId}`, (id) => this.api.deleteUpload(id));
    this.notices = new NoticeList(noticeApi(options.workspaceId), options.clock);
    this.socket = new HubSocket(options.openSocket, this, options.clock);
    const owner = `${options.workspaceId}.${options.memberId}`;
    this.outbox = new Outbox(localOutbox(options.storage, owner), (frame) => this.socket.send(frame), options.clock);
    this.feed.onApplied((frames) => this.afterFlush(frames));
  }

  start(): void {
    void this.socket.connect();
  }

  stop(): void {
    if (this.viewTimer !== null) this.options.clock.clearTimeout(this.viewTimer);
    this.notices.stop();
    this.socket.stop();
  }

  /** The network came back, the tab is shown again or the member does not want to wait. */
  wake(): void {
    this.socket.wake();
  }

  sleep(): void {
    this.socket.sleep();
  }

  // What the socket tells us.

  async takeSnapshot(): Promise<Cursor> {
    try {
      const snapshot = await this.api.snapshot(SNAPSHOT_ROWS);
      this.feed.reset(fromSnapshot(snapshot));
      this.outbox.snapshotTaken(snapshot.seq);
      this.pages.reset();
      return { epoch: snapshot.epoch, seq: snapshot.seq };
    } catch (error) {
      this.noteSignedOut(error);
      throw error;
    }
  }

  event(frame: EventFrame): void {
    this.feed.push(frame, this.isMine(frame));
  }

  frame(frame: Exclude<ServerFrame, EventFrame | Welcome>): void {
    switch (frame.type) {
      case "ack": return this.outbox.acked(frame, this.feed.get()?.cursor.seq ?? 0);
      case "error": return this.outbox.refused(frame);
      case "typing": return this.company.typing(frame);
      case "viewing": return this.company.viewing(frame);
      case "presence": return this.company.presence(frame);
      case "presence_changed": return this.company.presenceChanged(frame);
      case "notice": return this.notices.told(frame.notice_id);
      default:
    }
  }

  welcomed(): void {
    this.outbox.setLive(true);
    this.tellViewing();
    this.notices.told(null);
  }

  connection(connection: Connection): void {
    const { phase } = connection;
    if (phase !== "live" && phase !== "catching_up") {
      this.outbox.setLive(false);
      this.company.clear();
    }
    this.connectionSignal.set(connection);
    if (connection.phase === "stopped" && connection.code === 4501) this.options.onSignedOut();
  }

  refused(): void {
    accountApi.session().catch((error: unknown) => this.noteSignedOut(error));
  }

  // What the member does.

  send(written: Omit<NewEntry, "client_message_id">): void {
    this.outbox.add({ client_message_id: crypto.randomUUID(), ...written });
  }

  typing(conversation_id: Uuid, on: boolean, kind: WritingKind): void {
    this.socket.send({ type: "typing", conversation_id, on, kind });
  }

  /** Which conversation is on screen; repeated until told otherwise. */
  viewing(conversationId: Uuid | null): void {
    if (this.viewed === conversationId) return;
    this.keptUnread = null;
    this.viewed = conversationId;
    this.tellViewing();
  }

  /** Moves my read mark: a lower seq marks it unread. */
  async markRead(conversation_id: Uuid, seq: number): Promise<void> {
    if (this.socket.send({ type: "read", conversation_id, seq })) return;
    await this.api.markRead(conversation_id, seq);
  }

  /** Reads a conversation that is on screen, unless the member just marked it unread. */
  read(id: Uuid, seq: number): void {
    if (this.keptUnread !== id) this.markRead(id, seq).catch((error: unknown) => this.noteSignedOut(error));
  }

  /** The member marked it unread: leave it so until it is opened again or more comes. */
  keepUnread(id: Uuid | null): void {
    this.keptUnread = id;
  }

  /** Changes a conversation: shown at once, taken back when the hub refuses. */
  async change(id: Uuid, change: ConversationChange): Promise<void> {
    const shown: Partial<Conversation> = "status" in change && change.status !== "snoozed"
      ? { status: change.status, snoozed_until: null } : change;
    this.pending.set({ ...this.pending.get(), [id]: { ...this.pending.get()[id], ...shown } });
    this.acts.set(this.acts.get() + 1);
    try {
      const { conversation } = await this.api.change(id, change);
      this.feed.merge({ conversations: [conversation] });
    } catch (error) {
      this.noteSignedOut(error);
      throw error;
    } finally {
      const { [id]: _done, ...rest } = this.pending.get();
      this.pending.set(rest);
      this.acts.set(this.acts.get() + 1);
    }
  }

  noteSignedOut(error: unknown): void {
    if (!(error instanceof ApiError) || error.status !== 401) return;
    this.socket.stop(4501, error.message);
  }

  private tellViewing(): void {
    if (this.viewTimer !== null) this.options.clock.clearTimeout(this.viewTimer);
    this.viewTimer = null;
    this.socket.send({ type: "viewing", conversation_id: this.viewed });
    if (this.viewed !== null) this.viewTimer = this.options.clock.setTimeout(() => this.tellViewing(), VIEWING_REPEAT_MS);
  }

  private afterFlush(frames: readonly EventFrame[]): void {
    this.outbox.applied(frames);
    for (const { event } of frames) {
      if ("message" in event) {
        const { conversation_id, author_kind, author_id } = event.message;
        if (author_kind === "contact" && this.keptUnread === conversation_id) this.keptUnread = null;
        this.company.clearTyping(conversation_id, author_kind === "contact" ? null : author_id);
      }
    }
  }

  private isMine({ event }: EventFrame): boolean {
    const me = this.options.memberId;
    if ("message" in event && event.message.client_message_id !== null) return this.outbox.has(event.message.client_message_id);
    return ("actor_id" in event && event.actor_id === me) || ("member_id" in event && event.member_id === me);
  }
}
