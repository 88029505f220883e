/** Files reach the hub whole or in pieces, over a connection that breaks. */
import { describe, expect, it } from "vitest";
import { ApiError } from "../../src/api";
import { WHOLE_LIMIT_BYTES, uploadFile } from "../../src/files/upload";
import type { Answer, Request } from "../../src/files/upload";
import { attachment } from "../rows";

const CHUNK = 3 * 1024 * 1024;

/** A hub that keeps what it got; `breaks` says at which PATCH the connection breaks, and whether the bytes still arrived. */
class Hub {
  offset = 0;
  readonly requests: Request[] = [];
  private patches = 0;

  constructor(private readonly size: number, private readonly breaks: Readonly<Record<number, "lost" | "answer lost">> = {}) {}

  readonly transport = async (request: Request): Promise<Answer> => {
    this.requests.push(request);
    request.signal.throwIfAborted();
    if (request.method === "POST" && request.body instanceof Blob) return { status: 201, body: { attachment: attachment({ state: "ready" }), upload: null } };
    if (request.method === "PATCH") {
      const failure = this.breaks[++this.patches];
      if (failure === "lost") throw new Error("connection lost");
      if (Number(request.headers?.["Upload-Offset"]) !== this.offset) return { status: 409, body: { code: "conflict", message: "Go on elsewhere." } };
      this.offset += (request.body as Blob).size;
      if (failure === "answer lost") throw new Error("connection lost");
    }
    return { status: 200, body: { attachment: attachment({ state: this.offset === this.size ? "ready" : "pending" }), upload: { offset: this.offset, chunk_bytes: CHUNK } } };
  };
}

const large = () => new File([new Uint8Array(WHOLE_LIMIT_BYTES + 1_000_000)], "film.mp4", { type: "video/mp4" });
const upload = (file: File, hub: Hub, options: { stop?: AbortController; progress?: number[] } = {}) => uploadFile(file, {
  base: "/workspaces/1", transport: hub.transport, signal: (options.stop ?? new AbortController()).signal,
  onProgress: (part) => options.progress?.push(part), wait: () => Promise.resolve(),
});

describe("uploadFile", () => {
  it("sends a small file in one call, named and typed", async () => {
    const hub = new Hub(4);
    const made = await upload(new File(["abcd"], "ü ?.png", { type: "image/png" }), hub);
    expect(made.state).toBe("ready");
    expect(hub.requests.map((one) => [one.method, one.path])).toEqual([["POST", "/workspaces/1/attachments?filename=%C3%BC+%3F.png&mime=image%2Fpng"]]);
  });

  it("sends a large one in pieces, each byte once", async () => {
    const file = large();
    const hub = new Hub(file.size);
    expect((await upload(file, hub)).state).toBe("ready");
    expect(hub.offset).toBe(file.size);
    expect(hub.requests.filter((one) => one.method === "PATCH")).toHaveLength(4 - 1);
  });

  it.each(["lost", "answer lost"] as const)("goes on where it was when a piece's %s", async (failure) => {
    const file = large();
    const hub = new Hub(file.size, { 2: failure });
    expect((await upload(file, hub)).state).toBe("ready");
    expect(hub.offset).toBe(file.size);
  });

  it("gives up after five tries in a row, in words", async () => {
    const file = large();
    const hub = new Hub(file.size, { 1: "lost", 2: "lost", 3: "lost", 4: "lost", 5: "lost" });
    await expect(upload(file, hub)).rejects.toMatchObject({ code: "offline", message: "The connection broke while the file was on its way. Try again." });
  });

  it("passes a refusal on and does not try again", async () => {
    const refuse = { ...new Hub(0), transport: () => Promise.resolve({ status: 413, body: { code: "too_large", message: "Files may have 100 MB." } }) } as unknown as Hub;
    await expect(upload(new File(["a"], "a"), refuse)).rejects.toEqual(new ApiError(413, "too_large", "Files may have 100 MB."));
  });

  it("stops when the member takes the file back", async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(upload(large(), new Hub(1), { stop })).rejects.toMatchObject({ name: "AbortError" });
  });
});
