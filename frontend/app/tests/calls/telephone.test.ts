/** The telephone in the browser, over a line the test holds. */
import { describe, expect, it, vi } from "vitest";
import type { Line, LineEvents, OpenLine, Talk } from "../../src/calls/telephone/line";
import { Telephone, telephone } from "../../src/calls/telephone/telephone";

class FakeLine {
  readonly did: string[] = [];
  events!: LineEvents;
  failing: Error | null = null;

  readonly open: OpenLine = (token, events) => {
    this.did.push(`open ${token}`);
    this.events = events;
    if (this.failing !== null) return Promise.reject(this.failing);
    const line: Line = {
      call: (order) => { this.did.push(`call ${order}`); return Promise.resolve(this.talk("ours")); },
      renew: (fresh) => this.did.push(`renew ${fresh}`),
      close: () => this.did.push("close"),
    };
    return Promise.resolve(line);
  };

  talk(name: string): Talk {
    const note = (what: string) => () => { this.did.push(`${what} ${name}`); };
    return { accept: note("accept"), reject: note("reject"), hangUp: note("hang up"), mute: (on) => this.did.push(`mute ${on}`) };
  }
}

function make() {
  const line = new FakeLine();
  let signed = 0;
  const sign = vi.fn(() => Promise.resolve({ token: `t${++signed}`, identity: "m1", library: "twilio", expires_at: "2026-01-01T11:00:00Z" }));
  const phone = new Telephone("a-1", sign, () => Promise.resolve(line.open), () => 1_000);
  return { line, phone, sign };
}

describe("the telephone", () => {
  it("signs in when it is turned on, offers itself, and signs out", async () => {
    const { line, phone } = make();
    await phone.turnOn();
    expect(phone.state.get()).toMatchObject({ phase: "ready", problem: "" });
    expect(telephone.get()).toBe(phone);
    phone.turnOff();
    expect(telephone.get()).toBeNull();
    expect(line.did).toEqual(["open t1", "close"]);
  });

  it("stays off with the reason where it could not sign in", async () => {
    const { line, phone } = make();
    line.failing = new Error("The browser gave no microphone.");
    await phone.turnOn();
    expect(phone.state.get()).toMatchObject({ phase: "off", problem: "The browser gave no microphone." });
    expect(telephone.get()).toBeNull();
  });

  it("closes a line that opens after it was turned off again", async () => {
    const { line, phone } = make();
    const opening = phone.turnOn();
    phone.turnOff();
    await opening;
    expect(line.did.at(-1)).toBe("close");
    expect(phone.state.get().phase).toBe("off");
  });

  it("rings, is taken, muted, and hung up", async () => {
    const { line, phone } = make();
    await phone.turnOn();
    line.events.ringing(line.talk("nora"), "+15551230001");
    expect(phone.state.get()).toMatchObject({ phase: "ringing", who: "+15551230001" });
    phone.accept();
    line.events.talking();
    phone.mute(true);
    expect(phone.state.get()).toMatchObject({ phase: "talking", since_ms: 1_000, muted: true });
    phone.hangUp();
    line.events.ended("");
    expect(phone.state.get()).toMatchObject({ phase: "ready", who: "", muted: false });
    expect(line.did.slice(1)).toEqual(["accept nora", "mute true", "hang up nora"]);
  });

  it("lets whoever calls meanwhile ring elsewhere, and keeps the call it has", async () => {
    const { line, phone } = make();
    await phone.turnOn();
    await phone.call("sealed", "Ana Okafor");
    line.events.ringing(line.talk("second"), "+15551230002");
    expect(phone.state.get()).toMatchObject({ phase: "calling", who: "Ana Okafor" });
    expect(line.did.slice(1)).toEqual(["call sealed", "reject second"]);
    await expect(phone.call("another", "Bo")).rejects.toThrow("not free");
  });

  it("signs in anew before its token ends, and goes off with words when the line breaks", async () => {
    const { line, phone, sign } = make();
    await phone.turnOn();
    line.events.tokenEnds();
    await vi.waitFor(() => expect(line.did).toContain("renew t2"));
    expect(sign).toHaveBeenCalledTimes(2);
    line.events.broken("The line to Twilio broke.");
    expect(phone.state.get()).toMatchObject({ phase: "off", problem: "The line to Twilio broke." });
  });
});
