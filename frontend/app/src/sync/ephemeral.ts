/** Who types, who looks, who is online: no seq, nothing kept, gone when not repeated. */
import type { Uuid } from "../types.gen";
import type { Clock, Timer } from "./clock";
import type { PresenceChanged, PresenceShown, TypingShown, ViewingShown, WritingKind } from "./frames";

export const TYPING_EXPIRES_MS = 6_000;

export interface Typist {
  /** Null: the contact. */
  readonly member_id: Uuid | null;
  readonly kind: WritingKind;
}

export interface Company {
  readonly typing: Readonly<Record<Uuid, readonly Typist[]>>;
  readonly viewing: Readonly<Record<Uuid, readonly Uuid[]>>;
  /** Null: unknown, never "nobody". */
  readonly online: readonly Uuid[] | null;
}

const NOBODY: Company = { typing: {}, viewing: {}, online: null };

export class Ephemeral {
  private company: Company = NOBODY;
  private readonly timers = new Map<string, Timer>();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly clock: Clock) {}

  readonly get = (): Company => this.company;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  typing(frame: TypingShown): void {
    const { conversation_id, member_id, on, kind } = frame;
    const key = `${conversation_id}/${member_id ?? "contact"}`;
    const timer = this.timers.get(key);
    if (timer !== undefined) this.clock.clearTimeout(timer);
    this.timers.delete(key);
    if (on) this.timers.set(key, this.clock.setTimeout(() => this.typing({ ...frame, on: false }), TYPING_EXPIRES_MS));
    const others = (this.company.typing[conversation_id] ?? []).filter((typist) => typist.member_id !== member_id);
    const typists = on ? [...others, { member_id, kind }] : others;
    this.set({ typing: { ...this.company.typing, [conversation_id]: typists } });
  }

  viewing(frame: ViewingShown): void {
    this.set({ viewing: { ...this.company.viewing, [frame.conversation_id]: frame.member_ids ?? [] } });
  }

  presence(frame: PresenceShown): void {
    this.set({ online: frame.member_ids });
  }

  presenceChanged({ came, went }: PresenceChanged): void {
    const { online } = this.company;
    // Of a list that was never told a change says nothing.
    if (online === null) return;
    const gone = new Set([...went, ...came]);
    this.set({ online: [...online.filter((id) => !gone.has(id)), ...came] });
  }

  /** The contact wrote or the connection is gone: what was said of typing is over. */
  clearTyping(conversation_id: Uuid, member_id: Uuid | null): void {
    if (this.company.typing[conversation_id]?.some((typist) => typist.member_id === member_id)) {
      this.typing({ type: "typing", conversation_id, member_id, on: false, kind: "message" });
    }
  }

  clear(): void {
    for (const timer of this.timers.values()) this.clock.clearTimeout(timer);
    this.timers.clear();
    this.set(NOBODY);
  }

  private set(change: Partial<Company>): void {
    this.company = { ...this.company, ...change };
    for (const listener of this.listeners) listener();
  }
}
