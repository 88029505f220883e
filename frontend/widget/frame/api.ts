// The live chat HTTP API (docs/http-api.md). No cookie is sent: the visitor is their token.
import type { Identity } from "../bridge.ts";
import type { Config, MessagePage, Visit } from "./frames.ts";

/** Who the visitor says they are, beside the token that says who they were. */
export interface Person {
  identity: Identity | null;
  form: Record<string, string> | null;
  page_url: string;
}

export type VisitRequest = Person & { visitor_token: string | null };

export interface Api {
  config(): Promise<Config>;
  visit(request: VisitRequest): Promise<Visit>;
  earlier(visitor_token: string, before: string): Promise<MessagePage>;
}

/** The hub's refusal; whatever else is thrown never reached it. */
export interface Refusal {
  status: number;
  message?: string;
  field?: string | null;
  retry_after_s?: number | null;
}

/** Whether asking again with the same words cannot help. */
export function isFinal({ status }: Partial<Refusal>): boolean {
  return !!status && status < 500 && status !== 429;
}

export function openApi(channel: string): Api {
  const base = "/api/v1/livechat/" + encodeURIComponent(channel);
  return {
    config: () => call(base),
    visit: (request) =>
      call(base + "/visitors", {
        method: "POST",
        headers: { "content-type": "application/json", "x-hub-request": "1" },
        body: JSON.stringify(request),
      }),
    earlier: (token, before) =>
      call(base + "/messages?before=" + encodeURIComponent(before), {
        headers: { authorization: "Bearer " + token },
      }),
  };
}

async function call<T>(path: string, options: RequestInit = {}): Promise<T> {
  const answer = await fetch(path, { ...options, credentials: "omit", signal: AbortSignal.timeout(15_000) });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body as T;
  throw { ...body, status: answer.status } satisfies Refusal;
}
