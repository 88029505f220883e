/** A hub whose answers the test decides: the HTTP API by path, and one socket. */
import { vi } from "vitest";
import type { ClientFrame } from "../src/sync/frames";
import { FakeSocket } from "./fakes";
import { ME } from "./rows";

export class Server {
  readonly calls: { method: string; path: string; body: unknown }[] = [];
  socket = new FakeSocket();
  signedIn = true;
  answers: Record<string, (body: unknown) => unknown> = {};

  install(): void {
    vi.stubGlobal("fetch", (url: string, { method = "GET", body }: RequestInit) => this.fetch(method, url, body === undefined ? undefined : parse(body)));
    // oxlint-disable-next-line typescript/no-this-alias  the constructor that replaces WebSocket has a `this` of its own
    const self = this;
    vi.stubGlobal("WebSocket", function open() {
      setTimeout(() => self.socket.accept());
      return self.socket;
    });
    this.socket.answer = (sent: ClientFrame) => {
      if (sent.type === "hello") this.socket.deliver({ type: "welcome", protocol: 1, connection_id: "k", epoch: 1, head: 10, recovered: true, heartbeat_s: 25, resume_ticket: "t", member_id: ME, conversation_id: null });
    };
  }

  private fetch(method: string, url: string, body: unknown): Promise<Response> {
    const path = url.replace("/api/v1", "").replace("/workspaces/1", "").split("?")[0] ?? "";
    this.calls.push({ method, path, body });
    const answer = this.answers[`${method} ${path}`];
    if (answer === undefined) return Promise.resolve(Response.json({ code: "not_found", message: `No ${method} ${path}` }, { status: 404 }));
    const value = answer(body);
    return Promise.resolve(value).then((found) => (found instanceof Response ? found : Response.json(found)));
  }
}

const parse = (body: unknown): unknown => (typeof body === "string" ? JSON.parse(body) : body);
