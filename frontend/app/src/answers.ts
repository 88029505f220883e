/** Answers of the API that no struct of the state holds: read where they are shown, and forgotten. */
import type { Party, Timestamp, Uuid } from "./types.gen";

/** Whom a reply goes to, and under which subject, unless the member says otherwise. */
export interface ReplyDefaults {
  readonly subject: string | null;
  readonly to: readonly Party[] | null;
  readonly cc: readonly Party[] | null;
}

/** Something a channel delivered that could not become a message. */
export interface DeadLetter {
  readonly id: Uuid;
  readonly channel: string;
  readonly channel_account_id: Uuid;
  readonly error: string;
  readonly received_at: Timestamp;
  readonly created_at: Timestamp;
  readonly state: "new" | "replayed" | "dropped";
  readonly size_bytes: number;
}

export interface DeadLetterPage {
  readonly dead_letters: readonly DeadLetter[];
  readonly next: string | null;
}

export interface DeadLetterView {
  readonly dead_letter: DeadLetter;
  readonly body_text: string;
  readonly is_binary: boolean;
}

/** How a channel account does: only the HTTP API tells, to those who manage channels. */
export interface AccountHealth {
  readonly last_item_at: Timestamp | null;
  readonly progress: { readonly done: number; readonly total: number; readonly what: string } | null;
  readonly lag_s: number | null;
  readonly error: string | null;
}
