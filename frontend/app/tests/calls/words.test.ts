/** How a call's row says what became of it. */
import { describe, expect, it } from "vitest";
import { callWords, lengthText, spokenWords } from "../../src/calls/words";
import type { CallState } from "../../src/types.gen";

const FROM = "2026-01-01T10:00:00Z";
const SOON = new Date("2026-01-01T10:05:00Z");
const LATER = new Date("2026-01-02T10:00:00Z");
const said = (call: Partial<CallState>, direction: "inbound" | "outbound" = "inbound", now = SOON, left = false) =>
  callWords({ direction, occurred_at: FROM, call: { outcome: "ringing", member: "", answered_at: null, ended_at: null, talk_s: null, ...call } }, left, now);

describe("an incoming call", () => {
  it("names whose telephone rings, and who spoke, with both times", () => {
    expect(said({ member: "Anna" })).toMatchObject({ title: "Incoming call", state: "Ringing Anna…", tone: "live", times: [] });
    expect(said({ outcome: "answered", member: "Ben", answered_at: "2026-01-01T10:00:21Z" }).state).toBe("Ben is talking");
    expect(said({ outcome: "answered", member: "Ben", answered_at: "2026-01-01T10:00:21Z", talk_s: 125 })).toEqual({
      title: "Incoming call", state: "Answered by Ben", tone: "good", times: [{ label: "Waited", length: "0:21" }, { label: "Talked", length: "2:05" }],
    });
  });

  it("is missed, and says whether a message was left and how long the caller waited", () => {
    expect(said({ outcome: "missed", ended_at: "2026-01-01T10:00:40Z" })).toMatchObject({ state: "Missed", tone: "bad", times: [{ label: "Waited", length: "0:40" }] });
    expect(said({ outcome: "missed" }, "inbound", SOON, true).state).toBe("Missed, message in the mailbox");
  });

  it("waits in the queue", () => {
    expect(said({ outcome: "waiting" })).toMatchObject({ state: "Waiting in the queue…", tone: "live", times: [] });
  });

  it("does not ring for ever where nobody told the end", () => {
    expect(said({}, "inbound", LATER)).toMatchObject({ state: "How it ended is not known", tone: "plain" });
  });
});

describe("an outgoing call", () => {
  it("is asked for, rings, is answered, or is not", () => {
    expect(said({ outcome: "asked" }, "outbound")).toMatchObject({ title: "Outgoing call", state: "Calling…" });
    expect(said({ outcome: "missed" }, "outbound")).toMatchObject({ state: "No answer", tone: "plain" });
    expect(said({ outcome: "failed" }, "outbound")).toMatchObject({ state: "Could not be made", tone: "bad" });
    expect(said({ outcome: "answered", member: "Anna", answered_at: "2026-01-01T10:00:30Z", talk_s: 60 }, "outbound")).toMatchObject({
      state: "Answered, called by Anna", times: [{ label: "Rang", length: "0:30" }, { label: "Talked", length: "1:00" }],
    });
  });
});

it("writes lengths as clocks do", () => {
  expect([0, 59, 60, 3600, 7325].map(lengthText)).toEqual(["0:00", "0:59", "1:00", "1:00:00", "2:02:05"]);
});

it("reads what was written down of a message, and nothing from its length", () => {
  expect(spokenWords({ text: "Voicemail: Please call\nback." })).toBe("Please call\nback.");
  expect(spokenWords({ text: "Voicemail, 0:23" })).toBe("");
});
