/** Rows the snapshot did not bring, fetched page by page: older conversations of a view, older messages of a thread. */
import { ApiError } from "../api";
import type { WorkspaceApi } from "../api";
import type { Uuid } from "../types.gen";
import type { Feed } from "./feed";
import { Signal } from "./signal";

export interface Page {
  readonly phase: "loading" | "ready" | "failed";
  /** Where the next page starts; null: there is none; undefined: nothing fetched yet. */
  readonly next: string | null | undefined;
  /** `last_activity_at` of the oldest row fetched: below it there are holes. */
  readonly floor: string | null;
  readonly problem: string;
}

export interface View {
  readonly status: string;
  readonly assignee: string | null;
}

type Book = Readonly<Record<string, Page>>;

const BLANK: Page = { phase: "ready", next: undefined, floor: null, problem: "" };

export const viewKey = (view: View): string => `${view.status}/${view.assignee ?? "all"}`;

export class Pages {
  readonly views = new Signal<Book>({});
  readonly threads = new Signal<Book>({});
  private generation = 0;

  constructor(private readonly feed: Feed, private readonly api: WorkspaceApi) {}

  /** A new snapshot: what was fetched before may have holes. */
  reset(): void {
    this.generation++;
    this.views.set({});
    this.threads.set({});
  }

  /** Fetches the next page of a view, unless one is on its way or there is none. */
  async moreConversations(view: View): Promise<void> {
    await this.turn(this.views, viewKey(view), async (before) => {
      const page = await this.api.conversations({ ...view, before });
      return { page, rows: page, floor: page.conversations.at(-1)?.last_activity_at ?? null };
    });
  }

  /** Fetches the newest messages of a conversation, or the ones before those we hold. */
  async moreMessages(id: Uuid): Promise<void> {
    await this.turn(this.threads, id, async (before) => {
      const page = await this.api.messages(id, before);
      return { page, rows: { ...page, linesOf: id }, floor: null };
    });
  }

  /** Fetches a conversation somebody linked to that is not among our rows. */
  async conversation(id: Uuid): Promise<void> {
    const { seq, conversation, contact, reads } = await this.api.conversation(id);
    this.feed.merge({ seq, conversations: [conversation], contacts: [contact], reads });
  }

  private async turn(
    book: Signal<Book>, key: string,
    fetchPage: (before: string | null) => Promise<{ page: { next: string | null }; rows: Parameters<Feed["merge"]>[0]; floor: string | null }>,
  ): Promise<void> {
    const held = book.get()[key] ?? BLANK;
    if (held.phase === "loading" || held.next === null) return;
    const generation = this.generation;
    const write = (page: Page): void => book.set({ ...book.get(), [key]: page });
    write({ ...held, phase: "loading" });
    try {
      const { page, rows, floor } = await fetchPage(held.next ?? null);
      if (generation !== this.generation) return;
      this.feed.merge(rows);
      write({ phase: "ready", next: page.next, floor, problem: "" });
    } catch (error) {
      if (generation !== this.generation) return;
      write({ ...held, phase: "failed", problem: error instanceof ApiError ? error.message : "This could not be loaded." });
    }
  }
}
