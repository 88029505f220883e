/** The pages before one is signed in, over a hub whose answers the test decides. */
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../../src/App";
import { currentRoute, navigate } from "../../src/router";
import type { Route } from "../../src/router";
import { Server } from "../server";

const NOBODY = { login: { name: "Lin", email: "lin@example.com", time_zone: "" }, workspaces: [] };
const PREVIEW = { workspace_name: "Northwind", inviter_name: "Ola", email: "mia@example.com", role: "agent", role_name: "", expires_at: "2026-01-01T00:00:00Z", has_login: true };
const refuse = (status: number, more: object) => () => Response.json({ message: "Refused.", ...more }, { status });

let server: Server;

beforeEach(() => {
  server = new Server();
  server.answers = {
    "GET /session": refuse(401, { code: "not_signed_in" }),
    "GET /setup": () => ({ needs_setup: false }),
    "GET /registrations": () => ({ is_open: true }),
    "GET /invitation": () => PREVIEW,
    "POST /email-verifications": () => NOBODY,
    "POST /password-resets": (body) => body,
    "POST /session": refuse(401, { code: "second_factor_required", challenge: "half", methods: ["totp", "recovery_code"] }),
    "POST /session/second-factor": () => NOBODY,
  };
  server.install();
});

function open(route: Route) {
  navigate(route, { replace: true });
  render(<App />);
  return userEvent.setup();
}

const sent = (path: string) => server.calls.find((one) => one.path === path && one.method === "POST")?.body;

async function signIn(user: ReturnType<typeof userEvent.setup>): Promise<void> {
  await user.type(await screen.findByLabelText("E-mail"), "lin@example.com");
  await user.type(screen.getByLabelText("Password"), "three small boats");
  await user.click(screen.getByRole("button", { name: "Sign in" }));
}

describe("signing in", () => {
  it("asks for the code where one has an app, and goes where one wanted to go", async () => {
    const user = open({ page: "members" });
    await signIn(user);
    await user.click(await screen.findByRole("button", { name: "Use a recovery code" }));
    expect((await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } })).violations.map((one) => one.id)).toEqual([]);
    await user.type(screen.getByLabelText("Recovery code"), "abcd-efgh{Enter}");
    await waitFor(() => expect(currentRoute()).toEqual({ page: "members" }));
    expect(sent("/session/second-factor")).toEqual({ challenge: "half", method: "recovery_code", code: "abcd-efgh" });
  });

  it("counts the seconds while the hub takes no further try", async () => {
    server.answers["POST /session"] = refuse(429, { code: "too_many_requests", retry_after_s: 30 });
    const user = open({ page: "sign-in" });
    await signIn(user);
    expect(await screen.findByRole("button", { name: /Try again in (30|29) seconds/ })).toBeDisabled();
  });

  it("offers an account only where anybody may make one", async () => {
    server.answers["GET /registrations"] = () => ({ is_open: false });
    open({ page: "sign-up" });
    expect(await screen.findByRole("heading", { name: "By invitation only" })).toBeVisible();
  });
});

describe("signed in already", () => {
  it.each(["sign-up", "forgot", "sign-in"] as const)("says so at %s, and signs out on demand", async (page) => {
    server.answers["GET /session"] = () => NOBODY;
    server.answers["DELETE /session"] = () => new Response(null, { status: 204 });
    const user = open({ page });
    expect(await screen.findByRole("heading", { name: "You are signed in" })).toBeVisible();
    expect(screen.getByText("lin@example.com")).toBeVisible();
    expect(screen.getByRole("link", { name: "Go to the inbox" })).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Sign out and go on" }));
    expect(await screen.findByLabelText("E-mail")).toBeVisible();
    expect(currentRoute().page).toBe(page);
  });
});

describe("links of mails", () => {
  it("make the account by the button alone, and show the hub's words at the password", async () => {
    server.answers["POST /email-verifications"] = refuse(422, { code: "invalid_input", field: "password", message: "Use a longer one." });
    const user = open({ page: "verify", token: "t0ken" });
    const field = await screen.findByLabelText("Password");
    expect(sent("/email-verifications")).toBeUndefined();
    await user.type(field, "short{Enter}");
    expect(await screen.findByText("Use a longer one.")).toBeVisible();
    expect(sent("/email-verifications")).toEqual({ token: "t0ken", password: "short" });
  });

  it("say who invites to what, and lead through the sign-in back to the invitation", async () => {
    const user = open({ page: "invitation", token: "inv" });
    expect(await screen.findByRole("heading", { name: "Join Northwind" })).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Sign in to accept" }));
    server.answers["POST /session"] = () => ({ ...NOBODY, login: { name: "Mia", email: "mia@example.com", time_zone: "" } });
    await signIn(user);
    expect(await screen.findByRole("button", { name: "Accept" })).toBeVisible();
  });

  it("explain an invitation for another address", async () => {
    server.answers["GET /session"] = () => NOBODY;
    server.answers["DELETE /session"] = () => new Response(null, { status: 204 });
    const user = open({ page: "invitation", token: "inv" });
    expect(await screen.findByText(/signed in as lin@example.com, but this invitation is for mia@example.com/)).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Sign out and go on" }));
    expect(await screen.findByRole("button", { name: "Sign in to accept" })).toBeVisible();
  });

  it("let an account with a second factor go on after a reset link", async () => {
    server.answers["POST /password-links"] = refuse(401, { code: "second_factor_required", challenge: "half", methods: ["totp"] });
    const user = open({ page: "reset", token: "r" });
    await user.type(await screen.findByLabelText("Password"), "three small boats{Enter}");
    expect(await screen.findByRole("heading", { name: "Enter the code" })).toBeVisible();
  });
});

it("answers a forgotten password the same whoever asks", async () => {
  const user = open({ page: "forgot" });
  await user.type(await screen.findByLabelText("E-mail"), "nobody@example.com{Enter}");
  expect(await screen.findByRole("heading", { name: "Look into your mail" })).toBeVisible();
  expect(screen.getByText("nobody@example.com")).toBeVisible();
});
