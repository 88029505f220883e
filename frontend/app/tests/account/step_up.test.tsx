/** The question before dangerous calls: asked once, answered, and the call made once more. */
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import { StepUp, isCancelled, useStepUp } from "../../src/account/StepUp";
import { call } from "../../src/api";
import { Server } from "../server";

const ASKED = { code: "proof_needed", message: "Prove that it is you." };

let server: Server;
let proved: boolean;
let methods: readonly string[];
let outcome: unknown;

beforeEach(() => {
  server = new Server();
  [proved, methods, outcome] = [false, ["password"], null];
  server.answers = {
    "DELETE /factors/totp": () => (proved ? { done: true } : Response.json({ ...ASKED, methods }, { status: 403 })),
    "POST /session/proof": (body) => {
      const { password, code } = body as { password?: string; code?: string };
      if (password !== "right" && code !== "123456") return Response.json({ code: "invalid_input", field: password === undefined ? "code" : "password", message: "This is wrong." }, { status: 422 });
      proved = true;
      return { proved_until: "2026-01-01T00:00:00Z" };
    },
  };
  server.install();
});

function Page() {
  const withProof = useStepUp();
  const send = async (): Promise<void> => {
    outcome = await withProof(() => call("DELETE", "/factors/totp")).catch((error: unknown) => error);
  };
  return <><button type="button" onClick={() => void send()}>Dangerous</button><StepUp /></>;
}

describe("a dangerous call", () => {
  it("is made again after the password", async () => {
    const user = userEvent.setup();
    render(<Page />);
    await user.click(screen.getByRole("button", { name: "Dangerous" }));
    await user.type(await screen.findByLabelText("Your password"), "wrong");
    await user.click(screen.getByRole("button", { name: "Go on" }));
    expect(await screen.findByText("This is wrong.")).toBeVisible();
    await user.clear(screen.getByLabelText("Your password"));
    await user.type(screen.getByLabelText("Your password"), "right");
    await user.click(screen.getByRole("button", { name: "Go on" }));
    await expect.poll(() => outcome).toEqual({ done: true });
    expect(screen.queryByRole("dialog")).toBeNull();
    expect(server.calls.filter((one) => one.path === "/factors/totp")).toHaveLength(2);
  });

  it("asks those with an app for a code, never for the password", async () => {
    methods = ["totp", "recovery_code"];
    const user = userEvent.setup();
    render(<Page />);
    await user.click(screen.getByRole("button", { name: "Dangerous" }));
    await user.type(await screen.findByLabelText("Code"), "123456{Enter}");
    await expect.poll(() => outcome).toEqual({ done: true });
    expect(server.calls.find((one) => one.path === "/session/proof")?.body).toEqual({ code: "123456" });
  });

  it("is not made again where the member closes the question", async () => {
    const user = userEvent.setup();
    render(<Page />);
    await user.click(screen.getByRole("button", { name: "Dangerous" }));
    await user.click(await screen.findByRole("button", { name: "Close" }));
    await expect.poll(() => isCancelled(outcome)).toBe(true);
    expect(server.calls.filter((one) => one.path === "/factors/totp")).toHaveLength(1);
  });
});
