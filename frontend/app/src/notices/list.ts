/**
 * What a member was told, as one tab knows it: the newest pages and the counts. The frame `notice` says that something
 * changed, the list is the truth; frames that come together make one request.
 */
import type { Clock, Timer } from "../sync/clock";
import { Signal } from "../sync/signal";
import type { Uuid } from "../types.gen";
import type { Marked, Notice, NoticeApi, NoticePage } from "./calls";

export const COALESCE_MS = 300;
export const PAGE_ROWS = 30;

export interface NoticeState {
  readonly rows: readonly Notice[];
  readonly unread: number;
  readonly next: string | null;
  readonly unreadOnly: boolean;
  readonly phase: "loading" | "ready" | "failed";
  readonly problem: string;
}

export const NOTHING: NoticeState = { rows: [], unread: 0, next: null, unreadOnly: false, phase: "loading", problem: "" };

export class NoticeList {
  readonly signal = new Signal<NoticeState>(NOTHING);
  /** Called with each notice that came while the list was not on screen. */
  onArrived: ((notice: Notice) => void) | null = null;
  private onScreen = false;
  private timer: Timer | null = null;
  private waiting = new Set<Uuid>();
  private asked = 0;

  constructor(private readonly api: NoticeApi, private readonly clock: Clock) {}

  /** A frame came, or the connection did: look again soon. */
  told(noticeId: Uuid | null): void {
    if (noticeId !== null) this.waiting.add(noticeId);
    this.timer ??= this.clock.setTimeout(() => {
      this.timer = null;
      void this.reload();
    }, COALESCE_MS);
  }

  stop(): void {
    if (this.timer !== null) this.clock.clearTimeout(this.timer);
    this.timer = null;
  }

  /** Whether the list is on screen: what it shows is then seen, and needs no toast and no push. */
  show(onScreen: boolean): void {
    this.onScreen = onScreen;
    if (onScreen) void this.reload();
  }

  filter(unreadOnly: boolean): void {
    this.set({ unreadOnly, rows: [], next: null, phase: "loading" });
    void this.reload();
  }

  /** Reads the newest page; rows of older pages that are still on screen stay. */
  async reload(): Promise<void> {
    const asked = ++this.asked;
    const arrived = this.waiting;
    this.waiting = new Set();
    try {
      const page = await this.api.page({ unread: this.signal.get().unreadOnly, limit: PAGE_ROWS });
      if (asked !== this.asked) {
        for (const id of arrived) this.waiting.add(id);
        return;
      }
      this.take(page);
      if (this.onScreen) await this.seen(page);
      else for (const notice of page.notices) if (arrived.has(notice.id) && !notice.read) this.onArrived?.(notice);
    } catch (error) {
      if (asked === this.asked) this.set({ phase: "failed", problem: (error as Error).message });
    }
  }

  async more(): Promise<void> {
    const { next, rows, unreadOnly } = this.signal.get();
    if (next === null) return;
    const asked = ++this.asked;
    const page = await this.api.page({ unread: unreadOnly, before: next, limit: PAGE_ROWS });
    if (asked === this.asked) this.set({ rows: [...rows, ...withoutThese(page.notices, rows)], next: page.next, unread: page.unread });
  }

  async markRead(ids: readonly Uuid[]): Promise<void> {
    this.showRead(ids, true);
    this.counted(await this.orReload(this.api.markRead({ ids })));
  }

  async markUnread(ids: readonly Uuid[]): Promise<void> {
    this.showRead(ids, false);
    this.counted(await this.orReload(this.api.markUnread({ ids })));
    await this.reload();
  }

  /** Marks all up to the newest shown; returns how to undo exactly that. */
  async markAllRead(): Promise<() => Promise<void>> {
    const { rows } = this.signal.get();
    this.showRead(rows.map((row) => row.id), true);
    const newest = rows[0];
    const marked = await this.orReload(this.api.markRead(newest === undefined ? {} : { until: newest.at }));
    this.counted(marked);
    return async () => {
      this.counted(await this.api.markUnread({ read_at: marked.at }));
      await this.reload();
    };
  }

  private async seen({ notices: [newest], unseen }: NoticePage): Promise<void> {
    if (newest !== undefined && unseen > 0) await this.api.markSeen(newest.at);
  }

  private take(page: NoticePage): void {
    const { rows, next } = this.signal.get();
    const last = page.notices.at(-1);
    // Older rows stay only below a full page: what is missing from a page that has an end is gone.
    const older = page.next === null || last === undefined ? [] : withoutThese(rows, page.notices).filter((row) => row.at < last.at);
    this.set({
      rows: [...page.notices, ...older], unread: page.unread, phase: "ready", problem: "",
      next: older.length > 0 ? next : page.next,
    });
  }

  private showRead(ids: readonly Uuid[], read: boolean): void {
    const rows = this.signal.get().rows.map((row) => (ids.includes(row.id) ? { ...row, read, seen: true } : row));
    this.set({ rows });
  }

  private counted({ unread }: Marked): void {
    this.set({ unread });
  }

  /** What was shown before the hub agreed is taken back when it does not. */
  private async orReload(answer: Promise<Marked>): Promise<Marked> {
    try {
      return await answer;
    } catch (error) {
      void this.reload();
      throw error;
    }
  }

  private set(change: Partial<NoticeState>): void {
    this.signal.set({ ...this.signal.get(), ...change });
  }
}

const withoutThese = (rows: readonly Notice[], others: readonly Notice[]): readonly Notice[] => {
  const ids = new Set(others.map((row) => row.id));
  return rows.filter((row) => !ids.has(row.id));
};
