import { describe, expect, it } from "vitest";
import { openUploads, type Answer, type Wire } from "../frame/files/uploads.ts";
import type { VisitorFile } from "../frame/frames.ts";
import { bench, settle } from "./fakes.ts";

const MIB = 1024 * 1024;

function file(id: string, state: VisitorFile["state"] = "ready", error: string | null = null): VisitorFile {
  return { id, kind: "image", filename: "a.jpg", size_bytes: 9, state, width: 3, height: 4, error };
}

/** A hub that takes files, and can be told to misbehave. */
class FakeWire implements Wire {
  readonly asked: string[] = [];
  readonly parts: number[] = [];
  known: string | null = "token";
  answers: Answer[] = [];
  size = 0;
  stored = 0;
  loseAnswers = 0;

  token = () => this.known;
  pause = async () => {};

  async send(method: string, path: string, body: Blob | object | null, offset: number | null, progress: (sent: number) => void): Promise<Answer> {
    this.asked.push(`${method} ${path}`);
    progress(body instanceof Blob ? body.size / 2 : 0);
    const planned = this.answers.shift();
    if (planned) return planned;
    if (method === "DELETE") return { status: 204, body: {} };
    if (method === "POST" && body instanceof Blob) return { status: 201, body: { attachment: file("whole") } };
    if (method === "POST") return { status: 201, body: { attachment: file("parts", "pending"), upload: { offset: 0, chunk_bytes: 8 * MIB } } };
    if (offset !== this.stored) return { status: 409, body: { upload: { offset: this.stored, chunk_bytes: 8 * MIB } } };
    this.stored += (body as Blob).size;
    this.parts.push((body as Blob).size);
    if (this.loseAnswers-- > 0) return { status: 0, body: {} };
    const done = this.stored === this.size;
    return { status: 200, body: { attachment: file("parts", done ? "ready" : "pending"), upload: { offset: this.stored, chunk_bytes: 8 * MIB } } };
  }
}

const blob = (size: number, name = "a.jpg") => new File([new Uint8Array(size)], name, { type: "image/jpeg" });

async function turns(): Promise<void> {
  for (let at = 0; at < 20; at++) await settle();
}

describe("uploads", () => {
  it("sends a small file whole and hands it over once", async () => {
    const wire = new FakeWire();
    const uploads = openUploads(wire, () => {});
    uploads.add([blob(100)]);
    expect(uploads.take()).toBeNull();
    await turns();
    expect(uploads.take()?.map(({ id }) => id)).toEqual(["whole"]);
    expect(uploads.take()).toEqual([]);
    expect(wire.asked).toEqual(["POST ?filename=a.jpg&mime=image%2Fjpeg"]);
  });

  it("sends a large file in parts, and tells how far it is", async () => {
    const wire = new FakeWire();
    wire.size = 20 * MIB;
    const seen: number[] = [];
    const uploads = openUploads(wire, () => seen.push(uploads.items()[0]?.progress ?? 0));
    uploads.add([blob(20 * MIB)]);
    await turns();
    expect(wire.parts).toEqual([8 * MIB, 8 * MIB, 4 * MIB]);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(uploads.items()[0]?.file?.id).toBe("parts");
  });

  it("goes on where the hub is after a part whose answer was lost", async () => {
    const wire = new FakeWire();
    wire.size = 16 * MIB;
    const uploads = openUploads(wire, () => {});
    // The first part arrives, but nobody hears of it: the same part comes again, and is told where to go on.
    wire.loseAnswers = 1;
    uploads.add([blob(16 * MIB)]);
    await turns();
    expect(wire.parts).toEqual([8 * MIB, 8 * MIB]);
    expect(wire.asked.length).toBe(4);
    expect(uploads.items()[0]?.file?.state).toBe("ready");
  });

  it("repeats what did not arrive, and gives up with words", async () => {
    const wire = new FakeWire();
    const away: Answer = { status: 0, body: {} };
    wire.answers = [away, { status: 503, body: {} }];
    const uploads = openUploads(wire, () => {});
    uploads.add([blob(10)]);
    await turns();
    expect(uploads.items()[0]?.file?.id).toBe("whole");
    wire.answers = [away, away, away, away, away];
    uploads.add([blob(10)]);
    await turns();
    expect(uploads.items()[1]?.error).toBe("It could not be sent.");
  });

  it("says why the hub refused, and sends the others", async () => {
    const wire = new FakeWire();
    wire.answers = [{ status: 413, body: { message: "This is too large." } }, { status: 201, body: { attachment: file("x", "failed", "Too many pixels.") } }];
    const uploads = openUploads(wire, () => {});
    uploads.add([blob(10), blob(10), blob(10)]);
    await turns();
    expect(uploads.items().map(({ error }) => error)).toEqual(["This is too large.", "Too many pixels.", undefined]);
    expect(uploads.take()?.length).toBe(1);
  });

  it("waits for a visitor, takes ten, and forgets what is removed", async () => {
    const wire = new FakeWire();
    wire.known = null;
    const uploads = openUploads(wire, () => {});
    uploads.add(Array.from({ length: 12 }, () => blob(10)));
    await turns();
    expect([uploads.items().length, wire.asked.length]).toEqual([10, 0]);
    wire.known = "token";
    uploads.wake();
    await turns();
    uploads.remove(uploads.items()[0]!.key);
    expect(uploads.items().length).toBe(9);
    expect(wire.asked.at(-1)).toBe("DELETE /whole");
  });
});

describe("a message with files", () => {
  it("goes out with their ids, without a text, and again after a reload", async () => {
    const { chat, clock, hub } = bench();
    await chat.start();
    chat.send("", [file("f-1")]);
    await clock.pass(2000);
    expect(hub.heard.find(({ type }) => type === "send")).toMatchObject({ text: "", attachments: ["f-1"] });
  });
});
