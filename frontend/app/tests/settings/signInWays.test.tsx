/** Linked accounts in one's settings: listed, added, removed, and what is refused. */
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SignInWays } from "../../src/settings/SignInWays";
import { Server } from "../server";

const GOOGLE = { id: "i-1", slug: "google", name: "Google", email: "priya@example.com", created_at: "2026-01-02T09:00:00Z", used_at: null };
const go = vi.fn();
const proofs = vi.fn();
let server: Server;

const withProof = <Answer,>(run: () => Promise<Answer>): Promise<Answer> => {
  proofs();
  return run();
};

beforeEach(() => {
  server = new Server();
  server.answers = {
    "GET /sign-in/issuers": () => ({ issuers: [{ slug: "google", name: "Google" }, { slug: "work", name: "Work" }] }),
    "GET /identities": () => ({ identities: [GOOGLE] }),
    "POST /identity-links/work": () => ({ url: "https://login.example.com/authorize" }),
  };
  server.install();
});

afterEach(() => {
  window.history.replaceState(null, "", "/");
  vi.clearAllMocks();
});

it("lists what is linked and offers the rest", async () => {
  const { container } = render(<SignInWays withProof={withProof} go={go} />);
  expect(await screen.findByText("priya@example.com")).toBeVisible();
  expect(screen.queryByRole("button", { name: "Link Google" })).toBeNull();
  expect((await axe.run(container)).violations).toEqual([]);
  await userEvent.click(screen.getByRole("button", { name: "Link Work" }));
  await waitFor(() => expect(go).toHaveBeenCalledWith("https://login.example.com/authorize"));
  expect(proofs).toHaveBeenCalledOnce();
});

it("removes one after a proof", async () => {
  server.answers["DELETE /identities/i-1"] = () => {
    server.answers["GET /identities"] = () => ({ identities: [] });
    return new Response(null, { status: 204 });
  };
  render(<SignInWays withProof={withProof} go={go} />);
  await userEvent.click(await screen.findByRole("button", { name: "Remove Google priya@example.com" }));
  expect(await screen.findByText("No other account opens yours.")).toBeVisible();
  expect(proofs).toHaveBeenCalledOnce();
});

it("says in the hub's words why the last way in stays", async () => {
  server.answers["DELETE /identities/i-1"] = () => Response.json({ code: "conflict", message: "This is your only way to sign in." }, { status: 409 });
  render(<SignInWays withProof={withProof} go={go} />);
  await userEvent.click(await screen.findByRole("button", { name: "Remove Google priya@example.com" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("This is your only way to sign in.");
  expect(screen.getByText("priya@example.com")).toBeVisible();
});

it.each([["#linked=google", "status", "Google opens your account from now on."], ["#error=taken&issuer=google", "alert", "This account opens another login here already."]])(
  "tells what came of %s", async (hash, role, words) => {
    window.history.replaceState(null, "", `/account/security${hash}`);
    render(<SignInWays withProof={withProof} go={go} />);
    await screen.findByText("priya@example.com");
    expect(screen.getByRole(role)).toHaveTextContent(words);
    expect(window.location.hash).toBe("");
  });

it("offers to try again when nothing can be read", async () => {
  server.answers["GET /identities"] = () => Response.json({ code: "unavailable", message: "The hub is away." }, { status: 503 });
  render(<SignInWays withProof={withProof} go={go} />);
  expect(await screen.findByRole("alert")).toHaveTextContent("The hub is away.");
  server.answers["GET /identities"] = () => ({ identities: [GOOGLE] });
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("priya@example.com")).toBeVisible();
});
