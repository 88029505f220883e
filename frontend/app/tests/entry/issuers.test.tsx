/** Signing in by way of an issuer: the buttons, and every way a browser comes back. */
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Issuers } from "../../src/entry/Issuers";
import { readReturned, wordsFor } from "../../src/entry/issuerCalls";
import { Server } from "../server";

const SESSION = { login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [] };
const done = vi.fn();
const go = vi.fn();
const challenged = vi.fn();
let server: Server;

beforeEach(() => {
  server = new Server();
  server.answers = {
    "GET /sign-in/issuers": () => ({ issuers: [{ slug: "google", name: "Google" }, { slug: "work", name: "Work" }] }),
    "POST /sign-in/issuers/google": () => ({ url: "https://accounts.google.com/o/oauth2/v2/auth?x=1" }),
    "POST /sign-in/links": () => SESSION,
  };
  server.install();
});

afterEach(() => {
  window.history.replaceState(null, "", "/");
  vi.clearAllMocks();
});

const comeBack = (hash: string): void => {
  window.history.replaceState(null, "", `/sign-in${hash}`);
  render(<Issuers onDone={done} onChallenge={challenged} go={go} />);
};

describe("the sign-in page", () => {
  it("shows a button for each issuer and goes there", async () => {
    comeBack("");
    await userEvent.click(await screen.findByRole("button", { name: "Continue with Google" }));
    expect(screen.getByRole("button", { name: "Continue with Work" })).toBeDisabled();
    expect(go).toHaveBeenCalledWith("https://accounts.google.com/o/oauth2/v2/auth?x=1");
  });

  it("shows nothing where the operator set none up", async () => {
    server.answers["GET /sign-in/issuers"] = () => ({ issuers: [] });
    comeBack("");
    await waitFor(() => expect(server.calls).toHaveLength(1));
    expect(screen.queryByRole("group")).toBeNull();
  });

  it("says when an issuer does not answer, and lets one try again", async () => {
    server.answers["POST /sign-in/issuers/google"] = () => Response.json({ code: "unavailable", message: "This issuer does not answer." }, { status: 503 });
    comeBack("");
    await userEvent.click(await screen.findByRole("button", { name: "Continue with Google" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("This issuer does not answer.");
    expect(screen.getByRole("button", { name: "Continue with Google" })).toBeEnabled();
    expect(go).not.toHaveBeenCalled();
  });

  it.each(["expired", "denied", "issuer", "unreachable", "unverified", "closed", "taken"])("has words for %s, and takes it out of the address", async (error) => {
    comeBack(`#error=${error}&issuer=google`);
    expect(await screen.findByRole("alert")).toHaveTextContent(wordsFor(error));
    expect(wordsFor(error)).not.toBe(wordsFor("something else"));
    expect(window.location.hash).toBe("");
  });

  it("shows no words that somebody wrote into a link", async () => {
    comeBack("#error=Call+us+at+555&issuer=google");
    expect(await screen.findByRole("alert")).toHaveTextContent("That did not work. Try again.");
  });

  it("links an account by the password of the login with its address", async () => {
    comeBack("#link=tok-1&issuer=google");
    expect(await screen.findByText(/your Google sign-in opens it/)).toBeVisible();
    await userEvent.type(screen.getByLabelText("Password of your account here"), "correct horse");
    await userEvent.click(screen.getByRole("button", { name: "Link and sign in" }));
    await waitFor(() => expect(done).toHaveBeenCalledWith(SESSION));
    expect(server.calls).toContainEqual({ method: "POST", path: "/sign-in/links", body: { token: "tok-1", password: "correct horse" } });
    expect(window.location.hash).toBe("");
  });

  it("asks for the second factor of a login before it is linked", async () => {
    server.answers["POST /sign-in/links"] = () => Response.json({ code: "second_factor_required", message: "Now show your second factor.", challenge: "ch-2", methods: ["totp"] }, { status: 401 });
    comeBack("#link=tok-1&issuer=google");
    await userEvent.type(await screen.findByLabelText("Password of your account here"), "correct horse");
    await userEvent.click(screen.getByRole("button", { name: "Link and sign in" }));
    await waitFor(() => expect(challenged).toHaveBeenCalledWith("ch-2", ["totp"]));
    expect(done).not.toHaveBeenCalled();
  });

  it("hands a second factor to whoever asks for it elsewhere", async () => {
    comeBack("#challenge=ch-1&methods=passkey,totp,something");
    await waitFor(() => expect(challenged).toHaveBeenCalledOnce());
    await waitFor(() => expect(challenged).toHaveBeenCalledWith("ch-1", ["passkey", "totp"]));
  });

  it("reads an address without anything as nothing", () => {
    expect(readReturned("")).toEqual({ error: "", issuer: "", link: "", challenge: "", methods: [] });
  });
});
