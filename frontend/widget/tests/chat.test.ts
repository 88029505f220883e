import { describe, expect, it } from "vitest";
import type { Send } from "../frame/frames.ts";
import { bench, type Bench } from "./fakes.ts";

const sends = ({ hub }: Bench) => hub.heard.filter((frame) => frame.type === "send") as Send[];
const hellos = ({ hub }: Bench) => hub.heard.filter((frame) => frame.type === "hello");

async function talking(count = 1): Promise<Bench> {
  const made = bench();
  await made.chat.start();
  for (let at = 1; at <= count; at++) made.chat.send(`hello ${at}`);
  await made.clock.pass(2000);
  return made;
}

describe("before the first message", () => {
  it("makes no visitor and no socket for somebody who only looks", async () => {
    const { chat, clock, hub } = bench();
    await chat.start();
    await clock.pass(60_000);
    expect(chat.state().stage).toBe("chat");
    expect([hub.visits, hub.sockets]).toEqual([[], []]);
  });

  it("asks the pre-chat questions and hands the answers over with the first visit", async () => {
    const { chat, clock, hub } = bench(undefined, { pre_chat: [{ name: "email", label: "E-mail", required: true }] });
    await chat.start();
    expect(chat.state().stage).toBe("form");
    chat.fillForm({ email: "ana@shop.example" });
    await clock.pass(100);
    expect(chat.state().stage).toBe("chat");
    expect(hub.visits[0]).toMatchObject({ form: { email: "ana@shop.example" }, page_url: "https://shop.example/cart" });
  });

  it("keeps the form and says why when the hub does not take the answers", async () => {
    const { chat, clock, hub } = bench(undefined, { pre_chat: [{ name: "email", label: "E-mail", required: true }] });
    hub.refuse = ({ form }) =>
      form?.["email"] === "ana@" ? { status: 422, field: "form.email", message: "This is not an address." } : null;
    await chat.start();
    chat.fillForm({ email: "ana@" });
    await clock.pass(100);
    expect(chat.state()).toMatchObject({ stage: "form", complaint: "This is not an address." });
    chat.fillForm({ email: "ana@shop.example" });
    await clock.pass(100);
    expect(chat.state().stage).toBe("chat");
  });

  it("waits for an identity where one is required, then comes with it", async () => {
    const { chat, clock, hub } = bench(undefined, { identity_required: true });
    await chat.start();
    expect(chat.state().stage).toBe("identity");
    chat.identify({ user_id: "7", hmac: "abc" });
    await clock.pass(100);
    expect(chat.state().stage).toBe("chat");
    expect(hub.visits[0]?.identity).toEqual({ user_id: "7", hmac: "abc" });
  });

  it("goes back to asking when the hub does not take the identity", async () => {
    const { chat, clock, hub } = bench(undefined, { identity_required: true });
    hub.refuse = ({ identity }) => (identity ? { status: 403, field: "identity.hmac" } : null);
    await chat.start();
    chat.identify({ user_id: "7", hmac: "forged" });
    await clock.pass(100);
    expect(chat.state().stage).toBe("identity");
  });

  it("says that the hub cannot be reached and recovers by itself", async () => {
    const { chat, clock, hub } = bench();
    hub.reachable = false;
    await chat.start();
    expect(chat.state().stage).toBe("unreachable");
    hub.reachable = true;
    await clock.pass(5000);
    expect(chat.state().stage).toBe("chat");
  });
});

describe("sending", () => {
  it("shows a message at once, and once after it is confirmed", async () => {
    const made = bench();
    await made.chat.start();
    made.chat.send("hello");
    expect(made.chat.state().outgoing.map(({ text }) => text)).toEqual(["hello"]);
    await made.clock.pass(2000);
    expect(made.chat.state().outgoing).toEqual([]);
    expect(made.texts()).toEqual(["hello"]);
  });

  it("asks for one visitor only when two messages are written at once", async () => {
    const made = await talking(2);
    expect(made.hub.visits).toHaveLength(1);
    expect(made.texts()).toEqual(["hello 1", "hello 2"]);
  });

  it("sends the same id again until the ack, and never anything twice", async () => {
    const made = await talking();
    made.hub.faults = { ...made.hub.faults, dropToHub: 1 };
    made.chat.send("lost on the way");
    await made.clock.pass(9000);
    made.hub.faults = { ...made.hub.faults, dropToHub: 0 };
    await made.clock.pass(30_000);
    const ids = sends(made)
      .filter(({ text }) => text === "lost on the way")
      .map((send) => send.client_message_id);
    expect(ids.length).toBeGreaterThan(1);
    expect(new Set(ids).size).toBe(1);
    expect(made.hub.messages.filter(({ text }) => text === "lost on the way")).toHaveLength(1);
    expect(made.texts()).toEqual(["hello 1", "lost on the way"]);
  });

  it("keeps the order when the first of several is lost", async () => {
    const made = await talking();
    made.hub.faults = { ...made.hub.faults, dropToHub: 1 };
    for (const text of ["a", "b", "c"]) made.chat.send(text);
    await made.clock.pass(2000);
    made.hub.faults = { ...made.hub.faults, dropToHub: 0 };
    await made.clock.pass(60_000);
    expect(made.texts()).toEqual(["hello 1", "a", "b", "c"]);
  });

  it("keeps what is unsent across a reload, and sends it under the same id", async () => {
    const made = await talking();
    made.hub.reachable = false;
    made.hub.socket.end(1006);
    made.chat.send("written offline");
    await made.clock.pass(1000);
    const id = made.chat.state().outgoing[0]!.id;
    made.hub.reachable = true;
    const chat = made.reload();
    expect(chat.state().outgoing[0]).toMatchObject({ id, text: "written offline" });
    await chat.start();
    await made.clock.pass(60_000);
    expect(sends(made).at(-1)?.client_message_id).toBe(id);
    expect(made.texts()).toEqual(["hello 1", "written offline"]);
    expect([...made.keep.texts.keys()].filter((key) => key.startsWith("p:"))).toEqual([]);
  });

  it("waits as long as the hub says, and says why when it is refused for good", async () => {
    const made = await talking();
    made.hub.faults = { ...made.hub.faults, dropToHub: 1 };
    made.chat.send("too much");
    const { id } = made.chat.state().outgoing[0]!;
    const error = { type: "error", code: "x", message: "Too long.", client_message_id: id } as const;
    made.hub.say(made.hub.socket, { ...error, retry_after_s: 5 });
    await made.clock.pass(4900);
    expect(sends(made)).toHaveLength(2);
    await made.clock.pass(200);
    expect(sends(made)).toHaveLength(3);
    made.hub.say(made.hub.socket, { ...error, retry_after_s: null });
    await made.clock.pass(100);
    expect(made.chat.state().outgoing[0]).toMatchObject({ state: "failed", error: "Too long." });
  });

  it("marks an answer read when it is on screen", async () => {
    const made = await talking();
    made.chat.show(true);
    made.hub.answer("hi");
    await made.clock.pass(100);
    expect(made.hub.heard.at(-1)).toEqual({ type: "read", seq: 2 });
  });
});

describe("the cursor", () => {
  it("drops what was shown and applies what comes next", async () => {
    const made = await talking();
    made.hub.answer("one");
    made.hub.say(made.hub.socket, made.hub.events[1]!);
    await made.clock.pass(100);
    expect(made.texts()).toEqual(["hello 1", "one"]);
  });

  it("says hello with its cursor when an event is missing, and shows both in order", async () => {
    const made = await talking();
    const before = hellos(made).length;
    made.hub.faults = { ...made.hub.faults, dropToVisitor: 1 };
    made.hub.answer("lost");
    made.hub.faults = { ...made.hub.faults, dropToVisitor: 0 };
    made.hub.answer("next");
    await made.clock.pass(100);
    expect(hellos(made).slice(before)).toEqual([{ type: "hello", protocol: 1, cursor: { epoch: 1, seq: 1 } }]);
    expect(made.texts()).toEqual(["hello 1", "lost", "next"]);
  });

  it("notices at the next heartbeat that the newest event was lost", async () => {
    const made = await talking();
    made.hub.faults = { ...made.hub.faults, dropToVisitor: 1 };
    made.hub.answer("lost");
    made.hub.faults = { ...made.hub.faults, dropToVisitor: 0 };
    await made.clock.pass(28_000);
    expect(made.texts()).toEqual(["hello 1", "lost"]);
  });

  it("reads a snapshot when the epoch changed", async () => {
    const made = await talking();
    made.hub.epoch = 2;
    made.hub.socket.end(1001);
    await made.clock.pass(21_000);
    made.hub.answer("after the restore");
    await made.clock.pass(100);
    expect(made.hub.visits).toHaveLength(2);
    expect(made.texts()).toEqual(["hello 1", "after the restore"]);
  });

  it("resumes in place after a gap, and from a snapshot when rights changed", async () => {
    const made = await talking();
    const before = made.hub.heard.length;
    made.hub.say(made.hub.socket, { type: "gap", reason: "slow" });
    await made.clock.pass(100);
    expect(made.hub.heard.slice(before)[0]).toEqual({ type: "hello", protocol: 1, cursor: { epoch: 1, seq: 1 } });
    expect(made.hub.visits).toHaveLength(1);
    made.hub.say(made.hub.socket, { type: "gap", reason: "rights" });
    await made.clock.pass(100);
    expect(made.hub.visits).toHaveLength(2);
  });

  it("reads afresh when its own message never comes as an event", async () => {
    const made = await talking();
    made.hub.say(made.hub.socket, { type: "gap", reason: "slow" });
    await made.clock.pass(100);
    // A new conversation, numbered from 1: the event looks like one already shown.
    made.hub.events.length = 0;
    made.hub.messages.length = 0;
    made.chat.send("anew");
    await made.clock.pass(6000);
    expect(made.texts()).toEqual(["anew"]);
    expect(made.chat.state().outgoing).toEqual([]);
  });

  it("ignores frames and events it does not know", async () => {
    const made = await talking();
    const unknown = { type: "confetti" } as never;
    made.hub.say(made.hub.socket, unknown);
    made.hub.socket.events.received("not json");
    made.hub.say(made.hub.socket, { type: "event", seq: 2, prev: 1, event: { type: "from_the_future" } as never });
    await made.clock.pass(100);
    expect(made.texts()).toEqual(["hello 1"]);
  });

  it("loads earlier messages page by page without repeating one", async () => {
    const made = await talking();
    for (let at = 1; at <= 50; at++) made.hub.answer(`answer ${at}`);
    const chat = made.reload();
    await chat.start();
    await made.clock.pass(100);
    expect(made.texts()).toHaveLength(20);
    while (chat.state().earlier) await chat.loadEarlier();
    expect(made.texts()).toEqual(made.hub.messages.map(({ text }) => text));
  });
});

describe("what the visitor is told", () => {
  it("counts answers as unread until they were on screen, across a reload", async () => {
    const made = await talking();
    made.hub.answer("one");
    made.hub.answer("two");
    await made.clock.pass(100);
    expect(made.chat.state().unread).toBe(2);
    expect(made.hub.reads).toEqual([]);
    made.chat.show(true);
    expect(made.chat.state().unread).toBe(0);
    expect(made.hub.reads).toEqual([3]);
    made.chat.show(false);
    made.hub.answer("three");
    const chat = made.reload();
    await chat.start();
    await made.clock.pass(100);
    expect(chat.state().unread).toBe(1);
  });

  it("passes typing on every 3 s while keys are pressed, and its end after 5 s without", async () => {
    const made = await talking();
    const typings = () => made.hub.heard.filter((frame) => frame.type === "typing").map((frame) => frame.on);
    for (let at = 0; at < 8; at++) {
      made.chat.typing(true);
      await made.clock.pass(500);
    }
    expect(typings()).toEqual([true, true]);
    await made.clock.pass(6000);
    expect(typings()).toEqual([true, true, false]);
  });

  it("shows that a member types until 6 s after the last sign of it", async () => {
    const made = await talking();
    made.hub.say(made.hub.socket, { type: "typing", member_id: null, on: true });
    await made.clock.pass(10);
    expect(made.chat.state().typing).toBe(false);
    made.hub.say(made.hub.socket, { type: "typing", member_id: "priya", on: true });
    await made.clock.pass(5900);
    expect(made.chat.state().typing).toBe(true);
    await made.clock.pass(200);
    expect(made.chat.state().typing).toBe(false);
  });

  it("says nothing about a short loss, and everything about a long one", async () => {
    const made = await talking();
    made.hub.reachable = false;
    made.hub.socket.end(1006);
    await made.clock.pass(2900);
    expect(made.chat.state().notice).toBeNull();
    await made.clock.pass(200);
    expect(made.chat.state().notice).toBe("lost");
    made.clock.connected = false;
    made.chat.wake();
    expect(made.chat.state().notice).toBe("offline");
    made.clock.connected = made.hub.reachable = true;
    made.chat.wake();
    expect(made.chat.state().notice).toBe("lost");
    await made.clock.pass(2100);
    expect(made.chat.state().notice).toBe("back");
    await made.clock.pass(4000);
    expect(made.chat.state().notice).toBeNull();
  });

  it("says that the conversation was closed until somebody writes again", async () => {
    const made = await talking();
    made.hub.close();
    await made.clock.pass(100);
    expect(made.chat.state().closed).toBe(true);
    made.chat.send("one more thing");
    await made.clock.pass(100);
    expect(made.chat.state().closed).toBe(false);
  });
});

describe("tokens", () => {
  it("comes as a new visitor, with what is unsent, when the token is void", async () => {
    const made = await talking();
    made.hub.refuse = ({ visitor_token }) => (visitor_token === "token-1" ? { status: 401 } : null);
    made.hub.socket.end(4501);
    made.chat.send("still here");
    await made.clock.pass(5000);
    expect(made.keep.get("token")).not.toBe("token-1");
    expect(made.hub.messages.at(-1)?.text).toBe("still here");
    expect(made.chat.state().outgoing).toEqual([]);
  });

  it("gives up when a token that HTTP calls good is refused by the socket again and again", async () => {
    const made = await talking();
    for (let time = 0; time < 5; time++) {
      made.hub.socket.end(4501);
      await made.clock.pass(1000 * 2 ** time + 9);
    }
    expect(made.chat.state().stage).toBe("stopped");
  });

  it("takes another tab's token instead of becoming a second visitor", async () => {
    const made = bench();
    await made.chat.start();
    made.keep.set("token", "from the other tab");
    made.chat.stored("token");
    await made.clock.pass(100);
    expect(made.hub.visits.map((visit) => visit.visitor_token)).toEqual(["from the other tab"]);
  });

  it("opens a new connection for a new identity", async () => {
    const made = await talking();
    const first = made.hub.socket;
    made.chat.identify({ jwt: "signed" });
    await made.clock.pass(100);
    expect(first.open).toBe(false);
    expect(made.hub.socket).not.toBe(first);
    expect(made.hub.visits.at(-1)).toMatchObject({ visitor_token: "token-1", identity: { jwt: "signed" } });
  });
});
