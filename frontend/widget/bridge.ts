// What the loader (on the customer's page) and the frame (on the hub) say to each other by postMessage. Both sides
// check origin and source before they look at a message; this module only has its shape.

/** Proof of who the visitor is, signed on the customer's own server. */
export type Identity = { user_id: string; hmac: string } | { jwt: string };

/** What the launcher looks like, as the hub's settings say. */
export type Look = { color: string; ink: string; title: string };

export type ToFrame =
  | { type: "init"; state: Record<string, string>; identity: Identity | null; page_url: string; open: boolean; focus: boolean }
  | { type: "shown"; open: boolean }
  | { type: "identify"; identity: Identity }
  | { type: "stored"; key: string; value: string | null };

export type ToLoader =
  | { type: "ready" }
  | { type: "set"; key: string; value: string | null }
  | { type: "close" }
  | { type: "unread"; count: number }
  | { type: "look"; look: Look };

/** Both directions travel in this, so that other scripts' messages on the page are told apart. */
export type Envelope<M> = { hubChat: M };

export function wrap<M>(body: M): Envelope<M> {
  return { hubChat: body };
}

/** The body of an envelope, or nothing when the data is not one of ours. */
export function unwrap<M>(data: unknown): M | undefined {
  return (data as Envelope<M> | null)?.hubChat;
}
