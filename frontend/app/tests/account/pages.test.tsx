/** One's own account, over a hub whose answers the test decides. */
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../../src/App";
import { deviceOf } from "../../src/account/device";
import { navigate } from "../../src/router";
import type { AccountSection } from "../../src/router";
import { Server } from "../server";

const PROFILE = { name: "Lin", email: "lin@example.com", time_zone: "Europe/Vienna", locale: "", avatar: "", is_verified: true };
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";
const EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0";
const AT = "2026-01-01T09:00:00Z";
const CODES = ["aaaa-bbbb", "cccc-dddd"];

let server: Server;
let factors: object;

beforeEach(() => {
  server = new Server();
  factors = { totp_since: null, passkeys: [], recovery_codes_left: 0, proved_until: AT, methods: ["password"] };
  const row = { created_at: AT, used_at: AT, expires_at: AT, address: "192.0.2.7" };
  let sessions = [{ ...row, id: "s-1", user_agent: FIREFOX, is_this: true }, { ...row, id: "s-2", user_agent: EDGE, is_this: false }];
  server.answers = {
    "GET /session": () => ({ login: { name: "Lin", email: "lin@example.com", time_zone: "" }, workspaces: [] }),
    "GET /profile": () => ({ profile: PROFILE }),
    "PATCH /profile": (body) => ({ profile: { ...PROFILE, ...(body as object) } }),
    "GET /factors": () => factors,
    "POST /factors/totp": () => ({ secret: "JBSWY3DP", otpauth_url: "otpauth://totp/hub:lin?secret=JBSWY3DP" }),
    "POST /factors/totp/confirm": () => {
      factors = { ...factors, totp_since: AT, recovery_codes_left: 10 };
      return { recovery_codes: CODES };
    },
    "PUT /password": () => Response.json({ code: "invalid_input", field: "old", message: "This is not your password." }, { status: 422 }),
    "GET /sessions": () => ({ sessions }),
    "DELETE /sessions/s-2": () => {
      sessions = sessions.slice(0, 1);
      return new Response(null, { status: 204 });
    },
  };
  server.install();
});

async function open(section: AccountSection) {
  navigate({ page: "account", section }, { replace: true });
  render(<App />);
  await screen.findByRole("heading", { level: 1 });
  return userEvent.setup();
}

const violations = async () => (await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } })).violations.map((one) => one.id);

describe("the account", () => {
  it("saves name and time zone, for somebody in no workspace too", async () => {
    const user = await open("profile");
    const name = await screen.findByLabelText("Your name");
    await user.clear(name);
    await user.type(name, "Lin Chen");
    fireEvent.change(screen.getByLabelText("Time zone"), { target: { value: "" } });
    await user.click(screen.getByRole("button", { name: "Save" }));
    expect(await screen.findByText("Your profile is saved.")).toBeVisible();
    expect(server.calls.find((one) => one.method === "PATCH")?.body).toEqual({ name: "Lin Chen", time_zone: "", locale: "" });
    expect(await violations()).toEqual([]);
  });

  it("sets up an app and shows the recovery codes until they are kept", async () => {
    const user = await open("security");
    await user.click(await screen.findByRole("button", { name: "Set up an app" }));
    expect(await screen.findByText("JBSWY3DP")).toBeVisible();
    expect(screen.getByRole("img", { name: "QR code for an authenticator app" })).toBeVisible();
    await user.type(screen.getByLabelText("Code of the app"), "123 456{Enter}");
    const dialog = await screen.findByRole("dialog", { name: "Keep your recovery codes" });
    for (const one of CODES) expect(within(dialog).getByText(one)).toBeVisible();
    await user.click(within(dialog).getByRole("button", { name: "Close" }));
    expect(dialog).toBeVisible();
    await user.click(within(dialog).getByLabelText("I have kept them"));
    await user.click(within(dialog).getByRole("button", { name: "Done" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(await screen.findByText(/In use since/)).toBeVisible();
    expect(server.calls.find((one) => one.path === "/factors/totp/confirm")?.body).toEqual({ code: "123456" });
  });

  it("shows a wrong password at its field", async () => {
    const user = await open("security");
    await user.type(await screen.findByLabelText("Password now"), "wrong");
    await user.type(screen.getByLabelText("New password"), "three small boats{Enter}");
    expect(await screen.findByText("This is not your password.")).toBeVisible();
    expect(screen.getByLabelText("Password now")).toBeInvalid();
    expect(await violations()).toEqual([]);
  });

  it("lists the sessions, and ends another one but not this", async () => {
    const user = await open("sessions");
    const mine = (await screen.findByText("Firefox on Linux")).closest("li");
    expect(within(mine as HTMLElement).getByText("This one")).toBeVisible();
    expect(within(mine as HTMLElement).queryByRole("button")).toBeNull();
    await user.click(screen.getByRole("button", { name: "End Edge on Windows, 192.0.2.7" }));
    await waitFor(() => expect(screen.queryByText("Edge on Windows")).toBeNull());
  });

  it("says what went wrong and reads again", async () => {
    const good = server.answers["GET /sessions"];
    server.answers["GET /sessions"] = () => Response.json({ code: "unavailable", message: "Come again." }, { status: 503 });
    const user = await open("sessions");
    expect(await screen.findByText("Come again.")).toBeVisible();
    server.answers["GET /sessions"] = good as () => unknown;
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("Firefox on Linux")).toBeVisible();
  });
});

it("names a script by its own first word", () => {
  expect([deviceOf("curl/8.5.0"), deviceOf("")]).toEqual(["curl", "Unknown device"]);
});
