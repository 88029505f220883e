/** The telephone as a member sees it, over a line the test holds. */
import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { expect, it, vi } from "vitest";
import type { LineEvents, OpenLine, Talk } from "../../src/calls/telephone/line";
import { TelephoneRail } from "../../src/calls/telephone/TelephoneRail";
import { SignedInProvider } from "../../src/context";
import type { SignedIn } from "../../src/context";
import { contact } from "../rows";

const ANA = contact({ identities: [{ scheme: "phone", scope: "", value: "+15551230001", verified: false }] });

function show(softphone: () => Promise<unknown>) {
  const held: { events?: LineEvents } = {};
  const did: string[] = [];
  const open: OpenLine = (_token, events) => {
    held.events = events;
    return Promise.resolve({ call: () => Promise.reject(new Error("unused")), renew: () => undefined, close: () => did.push("close") });
  };
  const talk: Talk = { accept: () => did.push("accept"), reject: () => did.push("reject"), hangUp: () => did.push("hang up"), mute: (on) => did.push(`mute ${on}`) };
  const state = { contacts: { [ANA.id]: ANA } };
  const client = { api: { softphone }, feed: { get: () => state, subscribe: () => () => undefined } };
  const signedIn = { client, manifests: [] } as unknown as SignedIn;
  const library = () => Promise.resolve(open);
  render(<SignedInProvider value={signedIn}><TelephoneRail accountId="a-1" open={library} /></SignedInProvider>);
  return { held, did, talk };
}

const signed = () => Promise.resolve({ token: "t", identity: "m1", library: "twilio", expires_at: "2026-01-01T11:00:00Z" });

it("is turned on, says who calls by name, and is answered, muted and hung up by buttons", async () => {
  const { held, did, talk } = show(signed);
  await userEvent.click(screen.getByRole("button", { name: "Take calls in this browser" }));
  expect(await screen.findByRole("button", { name: "Take no more calls in this browser", pressed: true })).toBeEnabled();

  act(() => held.events?.ringing(talk, "+15551230001"));
  expect(screen.getByRole("alert")).toHaveTextContent("Ana Okafor");
  await userEvent.click(screen.getByRole("button", { name: "Take the call" }));
  act(() => held.events?.talking());
  await userEvent.click(screen.getByRole("button", { name: "Mute" }));
  expect(screen.getByRole("button", { name: "Unmute", pressed: true })).toBeInTheDocument();
  const found = await axe.run(screen.getByRole("region", { name: "Telephone" }), { rules: { "color-contrast": { enabled: false }, region: { enabled: false } } });
  expect(found.violations).toEqual([]);
  await userEvent.click(screen.getByRole("button", { name: "Hang up" }));

  expect(screen.queryByRole("region", { name: "Telephone" })).toBeNull();
  expect(did).toEqual(["accept", "mute true", "hang up"]);
});

it("shows a number nobody here knows, and lets it ring elsewhere", async () => {
  const { held, did, talk } = show(signed);
  await userEvent.click(screen.getByRole("button", { name: "Take calls in this browser" }));
  await vi.waitFor(() => expect(held.events).toBeDefined());
  act(() => held.events?.ringing(talk, "+15559990000"));
  expect(screen.getByText("+15559990000")).toBeInTheDocument();
  await userEvent.click(screen.getByRole("button", { name: "Not now" }));
  expect(did).toEqual(["reject"]);
});

it("says in the hub's words why it cannot be turned on", async () => {
  show(() => Promise.reject(new Error("No telephone in the browser of yours is named.")));
  await userEvent.click(screen.getByRole("button", { name: "Take calls in this browser" }));
  expect(await screen.findByText("No telephone in the browser of yours is named.")).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Take calls in this browser" })).toBeEnabled();
});
