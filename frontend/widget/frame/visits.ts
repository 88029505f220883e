// Who the visitor is to the hub: token, identity, pre-chat answers, and the visit (their state, read at one moment).
import type { Identity } from "../bridge.ts";
import { Refusal, type Api, type VisitRequest } from "./api.ts";
import { jitter_ms } from "./backoff.ts";
import type { Environment, Keep } from "./environment.ts";
import type { Visit } from "./frames.ts";

export interface VisitEvents {
  arrived(visit: Visit): void;
  /** The hub does not take this identity. */
  unidentified(): void;
  /** The hub answers that there is no such chat, or not for this visitor. */
  refused(): void;
  failing(): void;
}

export class Visits {
  identity: Identity | null = null;
  form: Record<string, string> | null = null;
  page_url = "";
  #round = 0;
  #asking = "";
  #cancel = () => {};

  readonly #api: Api;
  readonly #environment: Environment;
  readonly #keep: Keep;
  readonly #events: VisitEvents;

  constructor(
    api: Api,
    environment: Environment,
    keep: Keep,
    events: VisitEvents,
  ) {
    this.#api = api;
    this.#environment = environment;
    this.#keep = keep;
    this.#events = events;
  }

  get token(): string | null {
    return this.#keep.get("token");
  }

  /** Asks until there is an answer. Asking for something else makes an earlier call void; the same is asked once. */
  ask(): void {
    if (this.#asking === JSON.stringify(this.#request())) return;
    this.#cancel();
    void this.#attempt(++this.#round, 0);
  }

  async #attempt(round: number, tries: number): Promise<void> {
    const request = this.#request();
    this.#asking = JSON.stringify(request);
    try {
      const visit = await this.#api.visit(request);
      if (round !== this.#round) return;
      this.#asking = "";
      if (visit.visitor_token !== this.token) this.#keep.set("token", visit.visitor_token);
      this.#events.arrived(visit);
    } catch (error) {
      if (round !== this.#round) return;
      this.#asking = "";
      if (error instanceof Refusal && !error.passing) return this.#refuse(error);
      this.#events.failing();
      const floor_ms = 1000 * (error instanceof Refusal ? (error.retry_after_s ?? 1) : 1);
      const delay_ms = floor_ms + jitter_ms(this.#environment.random(), tries);
      this.#cancel = this.#environment.after(delay_ms, () => void this.#attempt(round, tries + 1));
    }
  }

  #refuse(refusal: Refusal): void {
    if (this.identity && refusal.field?.startsWith("identity")) {
      this.identity = null;
      this.#events.unidentified();
    } else if (this.token && refusal.status !== 404) {
      // The token is void (expired, or the visitor was erased): come as a new visitor, with what is unsent.
      this.#keep.set("token", null);
      this.#keep.set("read", null);
      this.ask();
    } else this.#events.refused();
  }

  #request(): VisitRequest {
    const { token, identity, form, page_url } = this;
    return {
      ...(token && { visitor_token: token }),
      ...(identity && { identity }),
      ...(form && { form }),
      ...(page_url && { page_url }),
    };
  }
}
