// Who the visitor is to the hub: token, identity, pre-chat answers, and the visit (their state, read at one moment).
import { isFinal, type Api, type Person, type Refusal, type VisitRequest } from "./api.ts";
import { jitter_ms } from "./backoff.ts";
import type { Environment, Keep } from "./environment.ts";
import type { Visit } from "./frames.ts";

export interface VisitEvents {
  arrived(visit: Visit): void;
  /** The hub does not take the identity or the form, or wants one; says why. */
  unusable(complaint: string): void;
  /** The hub answers that there is no such chat, or not for this visitor. */
  refused(): void;
  failing(): void;
}

/**
 * Makes the function that asks for a visit until there is an answer. Asking with something else makes the call before
 * void; the same is asked once at a time, or two visitors would be made for one.
 */
export function visiting(
  api: Api,
  { after, random }: Environment,
  keep: Keep,
  person: Person,
  events: VisitEvents,
): () => void {
  let round = 0;
  let asking = "";
  let cancel = () => {};

  async function attempt(mine: number, tries: number): Promise<void> {
    const request = build();
    asking = JSON.stringify(request);
    try {
      const visit = await api.visit(request);
      if (mine !== round) return;
      asking = "";
      keep.set("token", visit.visitor_token);
      events.arrived(visit);
    } catch (error) {
      if (mine !== round) return;
      asking = "";
      if (isFinal(error as object)) return refuse(error as Refusal);
      events.failing();
      const floor_s = (error as Refusal).retry_after_s ?? 1;
      cancel = after(floor_s * 1000 + jitter_ms(random(), tries), () => void attempt(mine, tries + 1));
    }
  }

  function refuse({ field, status, message }: Refusal): void {
    const blamed = /^(identity|form)/.exec(field ?? "")?.[0] as "identity" | "form" | undefined;
    if (blamed && person[blamed]) {
      person[blamed] = null;
      events.unusable(message ?? "");
    } else if (keep.get("token") && status !== 404) {
      // The token is void (expired, or the visitor was erased): come as a new visitor, with what is unsent.
      keep.set("token", null);
      keep.set("read", null);
      ask();
    } else events.refused();
  }

  function build(): VisitRequest {
    return { visitor_token: keep.get("token"), ...person };
  }

  function ask(): void {
    if (asking === JSON.stringify(build())) return;
    cancel();
    void attempt(++round, 0);
  }

  return ask;
}
